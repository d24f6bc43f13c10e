//! Plots as SVG, which needs neither fonts nor libraries where they are made.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::bench::figures::{Curve, Row};
use crate::bench::way::Way;

const FONT: &str = "sans-serif";
const LEGEND: u32 = 130;

/// Bars of each row: each way's median over that of the first way there is, on a logarithmic
/// scale.
pub(super) fn rows(rows: &[Row], to: &Path) -> Result<()> {
    draw(rows, to).map_err(|error| anyhow!("cannot plot {}: {error}", to.display()))
}

/// A curve on logarithmic scales.
pub(super) fn curve(curve: &Curve, to: &Path) -> Result<()> {
    draw_curve(curve, to).map_err(|error| anyhow!("cannot plot {}: {error}", to.display()))
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn colour(way: Way) -> RGBColor {
    match way {
        Way::Native => RGBColor(90, 90, 90),
        Way::NativeAgain => RGBColor(160, 160, 160),
        Way::Straight => RGBColor(200, 80, 60),
        Way::Rez => RGBColor(220, 160, 60),
        Way::Rclone => RGBColor(150, 90, 170),
        Way::Passthrough => RGBColor(30, 110, 180),
        Way::Stateless => RGBColor(50, 160, 110),
        Way::Cached => RGBColor(110, 180, 220),
    }
}

#[allow(clippy::cast_precision_loss)]
fn draw(rows: &[Row], to: &Path) -> Drawn {
    let bars: Vec<(usize, usize, Way, f64)> = rows
        .iter()
        .enumerate()
        .flat_map(|(number, row)| {
            let base = row.cells.keys().next().copied();
            let ratio = move |way: Way| row.ratio(way, base?);
            let ways = row.cells.keys().enumerate();
            ways.filter_map(move |(place, way)| Some((number, place, *way, ratio(*way)?)))
        })
        .collect();
    let largest = bars.iter().map(|bar| bar.3).fold(2.0, f64::max) * 1.3;
    let least = bars.iter().map(|bar| bar.3).fold(0.7, f64::min) / 1.3;
    let width = 200 + LEGEND + 140 * u32::try_from(rows.len())?;
    let root = SVGBackend::new(to, (width, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(10)
        .margin_right(LEGEND)
        .set_label_area_size(LabelAreaPosition::Left, 50)
        .set_label_area_size(LabelAreaPosition::Bottom, 30)
        .build_cartesian_2d(0.0..rows.len() as f64, (least..largest).log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_desc("times the first bar")
        .y_label_formatter(&|value: &f64| format!("{value}"))
        .draw()?;
    let step = 0.9 / Way::ALL.len() as f64;
    for way in Way::ALL {
        let own = bars.iter().filter(|bar| bar.2 == way);
        let bar = |(number, place, _, ratio): &(usize, usize, Way, f64)| {
            let left = *number as f64 + 0.05 + *place as f64 * step;
            Rectangle::new([(left, 1.0), (left + step * 0.9, *ratio)], colour(way).filled())
        };
        let own: Vec<_> = own.map(bar).collect();
        if own.is_empty() {
            continue;
        }
        let legend = move |(x, y): (i32, i32)| {
            Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour(way).filled())
        };
        chart.draw_series(own)?.label(way.heading()).legend(legend);
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::Coordinate(i32::try_from(width - LEGEND)? - 65, 10))
        .label_font((FONT, 12))
        .draw()?;
    for (number, row) in rows.iter().enumerate() {
        let at = (
            65 + i32::try_from(number)?
                * i32::try_from((width - LEGEND - 70) / u32::try_from(rows.len())?)?,
            395,
        );
        root.draw(&Text::new(shortened(&row.name), at, (FONT, 11)))?;
    }
    root.present()?;
    Ok(())
}

fn draw_curve(curve: &Curve, to: &Path) -> Drawn {
    let across = curve.lines.values().flatten().map(|point| point.0);
    let up = curve.lines.values().flatten().map(|point| point.1);
    let (across, up) = (range(across), range(up));
    // Zero has no place on these scales: it stands at their left end.
    let least = across.start;
    let root = SVGBackend::new(to, (640, 400)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(15)
        .caption(&curve.name, (FONT, 14))
        .set_label_area_size(LabelAreaPosition::Left, 60)
        .set_label_area_size(LabelAreaPosition::Bottom, 40)
        .build_cartesian_2d(across.log_scale(), up.log_scale())?;
    let [x, y] = &curve.axes;
    chart.configure_mesh().x_desc(x).y_desc(y).draw()?;
    for (number, (name, line)) in curve.lines.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        chart
            .draw_series(
                LineSeries::new(line.iter().map(|(x, y)| (x.max(least), *y)), &colour)
                    .point_size(3),
            )?
            .label(name)
            .legend(move |(x, y): (i32, i32)| {
                Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour.filled())
            });
    }
    chart.configure_series_labels().border_style(BLACK).label_font((FONT, 12)).draw()?;
    root.present()?;
    Ok(())
}

/// What is above zero, with some room.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (least, most) = values
        .filter(|value| *value > 0.0)
        .fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    if least > most { 0.5..2.0 } else { least / 2.0..most * 2.0 }
}

fn shortened(name: &str) -> String {
    name.chars().take(24).collect()
}
