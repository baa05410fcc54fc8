//! Horizontal bars, each of one part or of some, as SVG. On white, so that it can be read on any page.

use std::path::Path;

use plotters::{
    prelude::{DrawingArea, IntoDrawingArea, Rectangle, SVGBackend, Text},
    style::{
        BLACK, Color, FontTransform, IntoFont, IntoTextStyle, RGBColor, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

/// Everything is this wide; bars begin behind their labels and leave room for their values.
const WIDTH: i32 = 900;
const LABELS: i32 = 230;
const VALUES: i32 = 190;

/// Height of a bar, and of it with the space around.
const BAR: i32 = 18;
const LINE: i32 = 26;

/// Where the legend begins, and the height of a line of it.
const LEGEND: i32 = 48;
const LEGEND_LINE: i32 = 20;

/// Width of a letter of the legend, about, and of what stands beside a name there.
const LETTER: i32 = 6;
const BESIDE: i32 = 38;

/// A bar and what stands beside it.
pub(super) struct Bar {
    label: &'static str,
    parts: Vec<(f64, RGBColor)>,
    pub(super) text: String,
}

impl Bar {
    /// A bar of these parts, with their sum beside it.
    pub(super) fn new(label: &'static str, parts: Vec<(f64, RGBColor)>) -> Self {
        Self {
            label,
            text: crate::report::table::number(parts.iter().map(|(value, _)| value).sum()),
            parts,
        }
    }

    fn sum(&self) -> f64 {
        self.parts.iter().map(|(value, _)| value).sum()
    }
}

pub(super) struct Plot {
    pub(super) title: &'static str,
    pub(super) legend: Vec<(&'static str, RGBColor)>,
    pub(super) bars: Vec<Bar>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

impl Plot {
    /// Draws it into a file.
    pub(super) fn draw(&self, path: &Path) {
        let lines = i32::try_from(self.bars.len()).expect("there are few");
        let mut top = self.below_the_legend();
        let size = (WIDTH.unsigned_abs(), (top + lines * LINE + 14).unsigned_abs());
        let area = SVGBackend::new(path, size).into_drawing_area();
        area.fill(&WHITE).expect("a file is drawn on");
        write(&area, self.title, (16, 24), HPos::Left, 18);
        self.draw_legend(&area);
        let most = self.bars.iter().map(Bar::sum).fold(0.0, f64::max);
        for bar in &self.bars {
            draw_bar(&area, bar, top, most);
            top += LINE;
        }
        area.present().expect("the file can be written");
    }

    fn draw_legend(&self, area: &Area<'_>) {
        for ((name, colour), (left, middle)) in self.legend.iter().zip(self.legend_places()) {
            fill(area, (left, middle - 6), (left + 12, middle + 6), *colour);
            write(area, name, (left + 18, middle), HPos::Left, 13);
        }
    }

    /// Where each name of the legend stands: in as many lines as it takes.
    fn legend_places(&self) -> Vec<(i32, i32)> {
        let (mut left, mut middle) = (16, LEGEND);
        let mut places = Vec::new();
        for (name, _) in &self.legend {
            let width = BESIDE + LETTER * i32::try_from(name.len()).expect("it is short");
            if left + width > WIDTH {
                (left, middle) = (16, middle + LEGEND_LINE);
            }
            places.push((left, middle));
            left += width;
        }
        places
    }

    fn below_the_legend(&self) -> i32 {
        self.legend_places().last().map_or(LEGEND, |(_, middle)| *middle) + 26
    }
}

fn draw_bar(area: &Area<'_>, bar: &Bar, top: i32, most: f64) {
    let middle = top + BAR / 2;
    write(area, bar.label, (LABELS - 8, middle), HPos::Right, 13);
    let room = f64::from(WIDTH - LABELS - VALUES);
    let mut before = 0.0;
    for (value, colour) in &bar.parts {
        let from = LABELS + pixels(before / most * room);
        before += value;
        let to = LABELS + pixels(before / most * room);
        fill(area, (from, top), (to, top + BAR), *colour);
    }
    let behind = LABELS + pixels(before / most * room) + 6;
    write(area, &bar.text, (behind, middle), HPos::Left, 12);
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "it is within the width of the plot"
)]
fn pixels(length: f64) -> i32 {
    length.round() as i32
}

fn fill(area: &Area<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor) {
    let rectangle = Rectangle::new([from, to], colour.filled());
    area.draw(&rectangle).expect("a file is drawn on");
}

fn write(area: &Area<'_>, text: &str, at: (i32, i32), anchor: HPos, height: i32) {
    let style = ("sans-serif", height)
        .into_font()
        .transform(FontTransform::None)
        .into_text_style(area)
        .color(&BLACK)
        .pos(Pos::new(anchor, VPos::Center));
    area.draw(&Text::new(text.to_owned(), at, style))
        .expect("a file is drawn on");
}
