//! Pages (AIP-158): sizes and opaque tokens.
//!
//! A token holds where the next page starts and a digest of the query it belongs to, so that a
//! token sent with another query is refused instead of answering with a wrong page.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tonic::{Code, Status};
use uuid::Uuid;

use super::{
    reason,
    status::{self, Violations},
};

/// Page size when none is asked for.
pub const DEFAULT_SIZE: usize = 50;

/// Largest page; more is reduced to it. 500 orders of a few items stay well below a message's limit.
pub const MAX_SIZE: usize = 500;

const DIGEST_BYTES: usize = 8;

/// Where a page starts in a list sorted by time and id, newest first: after this entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Creation time of the last entry of the page before, in milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Its id.
    pub id: Uuid,
}

/// What page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Entries on it, 1 to [`MAX_SIZE`].
    pub size: usize,
    /// Where it starts; `None` for the first.
    pub after: Option<Cursor>,
}

impl Page {
    /// Reads `page_size` and `page_token` of a request. `query` is whatever else the request asks
    /// for: the same on every page.
    pub fn from_request(page_size: i32, page_token: &str, query: &str) -> Result<Self, Status> {
        let size = match usize::try_from(page_size) {
            Ok(0) => DEFAULT_SIZE,
            Ok(size) => size.min(MAX_SIZE),
            Err(_) => {
                let mut violations = Violations::default();
                violations.add("page_size", "must not be negative");
                return Err(violations.into_result().expect_err("one was added"));
            }
        };
        let after = match page_token {
            "" => None,
            token => Some(decode(token, query).ok_or_else(|| {
                status::error(
                    Code::InvalidArgument,
                    reason::INVALID_PAGE_TOKEN,
                    "page_token must be the next_page_token of a page of the same query",
                )
            })?),
        };
        Ok(Self { size, after })
    }

    /// Cuts `entries`, of which one more than [`size`](Self::size) was read, to one page, and makes
    /// the token of the next one.
    pub fn cut<T>(&self, entries: &mut Vec<T>, query: &str, cursor: impl Fn(&T) -> Cursor) -> String {
        if entries.len() <= self.size {
            return String::new();
        }
        entries.truncate(self.size);
        entries
            .last()
            .map(|last| encode(cursor(last), query))
            .unwrap_or_default()
    }
}

fn encode(cursor: Cursor, query: &str) -> String {
    let mut bytes = digest(query).to_vec();
    bytes.extend(cursor.time_ms.to_be_bytes());
    bytes.extend(cursor.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(token: &str, query: &str) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (digest_bytes, rest) = bytes.split_at_checked(DIGEST_BYTES)?;
    let (time, id) = rest.split_at_checked(8)?;
    (digest_bytes == digest(query)).then_some(Cursor {
        time_ms: i64::from_be_bytes(time.try_into().ok()?),
        id: Uuid::from_slice(id).ok()?,
    })
}

fn digest(query: &str) -> [u8; DIGEST_BYTES] {
    let whole = Sha256::digest(query.as_bytes());
    std::array::from_fn(|i| whole[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(n: &u128) -> Cursor {
        Cursor {
            time_ms: 5,
            id: Uuid::from_u128(*n),
        }
    }

    #[test]
    fn a_token_leads_to_the_page_after_the_one_it_came_with() {
        let page = Page::from_request(2, "", "q").unwrap();
        let mut entries = vec![9, 8, 7];
        let token = page.cut(&mut entries, "q", cursor);
        assert_eq!(entries, [9, 8]);
        assert_eq!(
            Page::from_request(2, &token, "q").unwrap().after,
            Some(cursor(&8))
        );
        assert_eq!(page.cut(&mut entries, "q", cursor), "");
    }

    #[test]
    fn a_token_of_another_query_or_no_token_at_all_is_refused() {
        let token = encode(cursor(&1), "q");
        for (token, query) in [
            (token.as_str(), "other"),
            ("nonsense", "q"),
            ("!", "q"),
            (&token[1..], "q"),
        ] {
            let status = Page::from_request(1, token, query).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
        }
    }

    #[test]
    fn sizes_have_a_default_and_a_limit_and_no_sign() {
        let size = |n| Page::from_request(n, "", "").map(|page| page.size);
        assert_eq!(size(0).unwrap(), DEFAULT_SIZE);
        assert_eq!(size(i32::MAX).unwrap(), MAX_SIZE);
        assert_eq!(size(-1).unwrap_err().code(), Code::InvalidArgument);
    }
}
