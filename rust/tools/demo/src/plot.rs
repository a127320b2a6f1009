//! Draws the timeline as a picture: SVG, written by hand.
//!
//! The upper part has one bar per stage. The lower part shows the traffic on the air so far: bytes
//! on the left axis, frames on the right axis.
use crate::run::Outcome;
use crate::screen::{seconds, thousands};
use crate::timeline::{Mark, Stage};
use std::fmt::{self, Write};
use std::time::Duration;

const WIDTH: f64 = 1080.0;
/// Maximum length of the broker's name in the title, in characters.
const TITLE: usize = 64;
/// Left edge of the time axis.
const LEFT: f64 = 140.0;
const RIGHT: f64 = 800.0;
const TOP: f64 = 104.0;
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;
const CHART: f64 = 190.0;

const INK: &str = "#1f2933";
const GREY: &str = "#7b8794";
const RULE: &str = "#e4e7eb";
const BYTES: &str = "#2563eb";
const FRAMES: &str = "#d97706";
/// One colour per stage, in order; the last is used for all further stages.
const BARS: [&str; 9] = [
    "#64748b", "#94a3b8", "#0891b2", "#0d9488", "#7c3aed", "#c026d3", "#db2777", "#ea580c",
    "#16a34a",
];

/// Draws an outcome.
pub fn render(outcome: &Outcome) -> String {
    let mut svg = String::new();
    // Writing to a string cannot fail.
    Plot::new(outcome).draw(&mut svg).ok();
    svg
}

struct Plot<'a> {
    outcome: &'a Outcome,
    end: Duration,
    /// Top of the traffic chart.
    chart_top: f64,
}

impl<'a> Plot<'a> {
    fn new(outcome: &'a Outcome) -> Self {
        Self {
            outcome,
            end: outcome.total.at.max(Duration::from_millis(1)),
            chart_top: TOP + ROW * outcome.stages.len() as f64 + 50.0,
        }
    }

    fn x(&self, at: Duration) -> f64 {
        LEFT + (RIGHT - LEFT) * at.as_secs_f64() / self.end.as_secs_f64()
    }

    fn draw(&self, svg: &mut String) -> fmt::Result {
        let height = self.chart_top + CHART + 60.0;
        writeln!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="Inter, Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="13" fill="{INK}">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="24" y="36" font-size="19" font-weight="600">A Thread device publishes to {}</text>
<text x="24" y="58" fill="{GREY}">{}</text>"##,
            escaped(&shortened(&self.outcome.broker, TITLE)),
            escaped(&self.subtitle()),
        )?;
        self.draw_time_axis(svg)?;
        draw_columns(svg, TOP - 12.0, ["took", "frames", "bytes"])?;
        for (row, stage) in self.outcome.stages.iter().enumerate() {
            self.draw_stage(svg, row, stage)?;
        }
        self.draw_traffic(svg)?;
        writeln!(svg, "</svg>")
    }

    fn subtitle(&self) -> String {
        let total = self.outcome.total;
        let mut text = format!(
            "{}, {} frames and {} bytes on air",
            seconds(total.at),
            thousands(total.frames),
            thousands(total.bytes)
        );
        if let Some(tls) = &self.outcome.tls {
            text.push_str(&format!(", {} {}", tls.version, tls.suite()));
        }
        if let Some(failure) = &self.outcome.failure {
            text.push_str(&format!(", failed at {}", failure.stage));
        }
        text
    }

    fn draw_time_axis(&self, svg: &mut String) -> fmt::Result {
        let bottom = self.chart_top + CHART;
        let step = nice_step(self.end.as_secs_f64(), 8);
        let mut at = 0.0;
        while at <= self.end.as_secs_f64() {
            let x = self.x(Duration::from_secs_f64(at));
            writeln!(
                svg,
                r#"<line x1="{x:.1}" y1="{:.1}" x2="{x:.1}" y2="{bottom:.1}" stroke="{RULE}"/><text x="{x:.1}" y="{:.1}" text-anchor="middle" fill="{GREY}">{} s</text>"#,
                TOP - 8.0,
                bottom + 20.0,
                decimal(at, step),
            )?;
            at += step;
        }
        Ok(())
    }

    fn draw_stage(&self, svg: &mut String, row: usize, stage: &Stage) -> fmt::Result {
        let y = TOP + ROW * row as f64;
        let from = self.x(stage.began);
        let width = (self.x(stage.reached()) - from).max(2.0);
        let middle = y + BAR / 2.0 + 4.5;
        let colour = BARS[row.min(BARS.len() - 1)];
        writeln!(
            svg,
            r#"<text x="{:.1}" y="{middle:.1}" text-anchor="end">{}</text><rect x="{from:.1}" y="{y:.1}" width="{width:.1}" height="{BAR}" rx="2" fill="{colour}"><title>{}</title></rect>"#,
            LEFT - 12.0,
            escaped(stage.name),
            escaped(&stage.detail),
        )?;
        let cost = [
            seconds(stage.cost.at),
            thousands(stage.cost.frames),
            thousands(stage.cost.bytes),
        ];
        draw_columns(svg, middle, cost.each_ref().map(String::as_str))
    }

    fn draw_traffic(&self, svg: &mut String) -> fmt::Result {
        let (top, bottom) = (self.chart_top, self.chart_top + CHART);
        let total = self.outcome.total;
        let bytes = Axis::new(total.bytes);
        let frames = Axis::new(total.frames);
        for line in 0..=bytes.lines {
            let y = bottom - CHART * f64::from(line) / f64::from(bytes.lines);
            writeln!(
                svg,
                r#"<line x1="{LEFT}" y1="{y:.1}" x2="{RIGHT}" y2="{y:.1}" stroke="{RULE}"/><text x="{:.1}" y="{:.1}" text-anchor="end" fill="{BYTES}">{}</text>"#,
                LEFT - 12.0,
                y + 4.5,
                thousands(bytes.step * u64::from(line)),
            )?;
        }
        for line in 0..=frames.lines {
            let y = bottom - CHART * f64::from(line) / f64::from(frames.lines);
            writeln!(
                svg,
                r#"<text x="{:.1}" y="{:.1}" fill="{FRAMES}">{}</text>"#,
                RIGHT + 12.0,
                y + 4.5,
                thousands(frames.step * u64::from(line)),
            )?;
        }
        let y_bytes = |mark: &Mark| bottom - CHART * mark.bytes as f64 / bytes.end();
        let y_frames = |mark: &Mark| bottom - CHART * mark.frames as f64 / frames.end();
        let line = self.steps(y_bytes);
        writeln!(
            svg,
            r#"<path d="{line} L{:.1},{bottom:.1} L{LEFT},{bottom:.1} Z" fill="{BYTES}" opacity="0.10"/>
<path d="{line}" fill="none" stroke="{BYTES}" stroke-width="2"/>
<path d="{}" fill="none" stroke="{FRAMES}" stroke-width="1.5" stroke-dasharray="5 3"/>
<text x="{LEFT}" y="{:.1}" fill="{BYTES}" font-weight="600">bytes on air</text>
<text x="{RIGHT}" y="{:.1}" text-anchor="end" fill="{FRAMES}" font-weight="600">frames on air (dashed)</text>"#,
            self.x(self.end),
            self.steps(y_frames),
            top - 14.0,
            top - 14.0,
        )
    }

    /// Returns a line that rises when frames were sent and is level in between.
    fn steps(&self, y: impl Fn(&Mark) -> f64) -> String {
        let mut path = String::new();
        let mut last = None;
        for sample in &self.outcome.samples {
            let (x, y) = (self.x(sample.at), y(sample));
            match last {
                None => path.push_str(&format!("M{x:.1},{y:.1}")),
                Some(level) => path.push_str(&format!(" L{x:.1},{level:.1} L{x:.1},{y:.1}")),
            }
            last = Some(y);
        }
        if path.is_empty() {
            path.push_str("M0,0");
        }
        path
    }
}

/// Draws a stage's values in three columns on the right.
fn draw_columns(svg: &mut String, y: f64, texts: [&str; 3]) -> fmt::Result {
    for (x, text) in [90.0, 165.0, 250.0].into_iter().zip(texts) {
        let x = RIGHT + x;
        writeln!(
            svg,
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="end" fill="{GREY}">{text}</text>"#
        )?;
    }
    Ok(())
}

/// An axis from 0 in round steps, up to the first step that is not below the value.
struct Axis {
    step: u64,
    lines: u32,
}

impl Axis {
    fn new(value: u64) -> Self {
        let step = (nice_step(value as f64, 5) as u64).max(1);
        Self {
            step,
            lines: u32::try_from(value.div_ceil(step)).unwrap_or(1).max(1),
        }
    }

    fn end(&self) -> f64 {
        (self.step * u64::from(self.lines)) as f64
    }
}

/// Returns 1, 2 or 5 times a power of ten, so that about `count` steps cover `range`.
fn nice_step(range: f64, count: u32) -> f64 {
    let rough = (range / f64::from(count)).max(1e-3);
    let power = 10f64.powf(rough.log10().floor());
    let factor = match rough / power {
        ratio if ratio <= 1.0 => 1.0,
        ratio if ratio <= 2.0 => 2.0,
        ratio if ratio <= 5.0 => 5.0,
        _ => 10.0,
    };
    factor * power
}

/// Formats with as many decimals as the step needs.
fn decimal(value: f64, step: f64) -> String {
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    format!("{value:.decimals$}")
}

/// Removes the middle of a text that is longer than this many characters.
fn shortened(text: &str, most: usize) -> String {
    let characters: Vec<_> = text.chars().collect();
    if characters.len() <= most {
        return text.to_owned();
    }
    let half = most / 2;
    let mut shortened = String::from_iter(&characters[..half]);
    shortened.push('…');
    shortened.extend(&characters[characters.len() - (most - half - 1)..]);
    shortened
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_cover_the_range() {
        for (range, count, step) in [
            (2.3, 8, 0.5),
            (7.0, 8, 1.0),
            (19_000.0, 5, 5_000.0),
            (0.0, 5, 0.001),
        ] {
            assert!((nice_step(range, count) - step).abs() < 1e-9, "{range}");
        }
        assert_eq!(decimal(0.5, 0.5), "0.5");
        assert_eq!(decimal(3.0, 1.0), "3");
        let axis = Axis::new(20_123);
        assert!(axis.end() >= 20_123.0 && axis.lines <= 5);
        assert_eq!(Axis::new(0).lines, 1);
    }

    #[test]
    fn a_long_text_loses_its_middle() {
        assert_eq!(shortened("mqtts://a:8883", 14), "mqtts://a:8883");
        assert_eq!(shortened("mqtts://äbcdef:8883", 14), "mqtts:/…f:8883");
    }

    #[test]
    fn text_cannot_break_out() {
        assert_eq!(escaped(r#"<a b="c">&"#), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }
}
