//! Which kinds of calls are made, and how often each.

use std::str::FromStr;

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Place,
    Get,
    List,
    Cancel,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Place, Self::Get, Self::List, Self::Cancel];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Get => "get",
            Self::List => "list",
            Self::Cancel => "cancel",
        }
    }
}

/// Largest weight: four of them fit a `u32` with room to spare.
const MAX_WEIGHT: u32 = 1000;

/// A weight for each kind, at least one of which is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mix {
    weights: [u32; Kind::ALL.len()],
}

impl Mix {
    /// Whether it has any calls of that kind.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.weight(kind) > 0
    }

    pub(super) fn weight(&self, kind: Kind) -> u32 {
        self.weights[kind as usize]
    }

    /// The kind at `point`, which is anywhere on the line from 0 to [`u32::MAX`].
    pub(super) fn at(&self, point: u32) -> Kind {
        let total: u32 = self.weights.iter().sum();
        let mut left = (u64::from(point) * u64::from(total)) >> 32;
        for kind in Kind::ALL {
            let weight = u64::from(self.weight(kind));
            if left < weight {
                return kind;
            }
            left -= weight;
        }
        unreachable!("a point lies on the line")
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let takes = || {
            format!(
                "takes KIND=WEIGHT joined by commas, of place, get, list and cancel, each once, with weights from 0 to {MAX_WEIGHT} of which one is not 0, such as place=90,get=10"
            )
        };
        let mut weights = [None; Kind::ALL.len()];
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').ok_or_else(takes)?;
            let at = Kind::ALL.iter().position(|kind| kind.name() == name.trim());
            let weight = weight.trim().parse().ok().filter(|weight| *weight <= MAX_WEIGHT);
            let (at, weight) = at.zip(weight).ok_or_else(takes)?;
            if weights[at].replace(weight).is_some() {
                return Err(takes());
            }
        }
        let weights = weights.map(Option::unwrap_or_default);
        if weights.iter().all(|weight| *weight == 0) {
            return Err(takes());
        }
        Ok(Self { weights })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_shares_of_the_line() {
        let mix: Mix = "place=1,get=2,cancel=1".parse().unwrap();
        let quarter = u32::MAX / 4 + 1;
        let kinds = [0, quarter - 1, quarter, 3 * quarter - 1, 3 * quarter, u32::MAX].map(|at| mix.at(at));
        assert_eq!(
            kinds,
            [
                Kind::Place,
                Kind::Place,
                Kind::Get,
                Kind::Get,
                Kind::Cancel,
                Kind::Cancel
            ]
        );
        assert!(!mix.has(Kind::List));
    }

    #[test]
    fn what_is_no_mix_is_told() {
        for bad in [
            "",
            "place",
            "place=",
            "place=-1",
            "place=1001",
            "place=0",
            "buy=1",
            "get=1,get=2",
            "get=1,",
        ] {
            let told = bad.parse::<Mix>().unwrap_err();
            assert!(told.contains("place=90,get=10"), "{bad:?}: {told}");
        }
    }
}
