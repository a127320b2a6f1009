//! The plot: arrivals per second, and the share of devices online.
use super::world::{Result as Run, Setup};
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 60.0;
const PANEL: f64 = 170.0;
const GAP: f64 = 60.0;
/// Seconds shown after the outage.
const AFTER: usize = 360;

/// Draws one panel per run.
pub(crate) fn svg(setup: &Setup, runs: &[Run]) -> String {
    let height = 50.0 + runs.len() as f64 * (PANEL + GAP);
    let mut svg = String::new();
    // Writing to memory cannot fail.
    let out = &mut svg;
    line(
        out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">"
        ),
    );
    line(
        out,
        format_args!("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"),
    );
    line(
        out,
        format_args!(
            "<text x=\"{LEFT}\" y=\"24\" font-size=\"13\">{} devices behind {} border routers, outage of \
         {} s; the broker accepts {} per second</text>",
            setup.devices,
            setup.routers,
            setup.outage.as_secs(),
            setup.accepts
        ),
    );
    for (n, run) in runs.iter().enumerate() {
        panel(out, 50.0 + n as f64 * (PANEL + GAP), setup, run);
    }
    line(out, format_args!("</svg>"));
    svg
}

fn panel(out: &mut String, top: f64, setup: &Setup, run: &Run) {
    let bottom = top + PANEL;
    let width = WIDTH - 2.0 * LEFT;
    let shown = setup.outage.as_secs() as usize + AFTER;
    let x = |second: f64| LEFT + width * second / shown as f64;
    let most = f64::from(run.most_arrivals().max(1));
    let outage = setup.outage.as_secs_f64();
    line(
        out,
        format_args!(
            "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{:.1}\" height=\"{PANEL}\" fill=\"#eee\"/>",
            x(outage) - LEFT
        ),
    );
    line(
        out,
        format_args!(
            "<text x=\"{LEFT}\" y=\"{:.1}\">{}: peak of {most} SYN/s</text>",
            top - 6.0,
            run.outage.name()
        ),
    );
    for (second, count) in run.arrivals.iter().take(shown).enumerate() {
        let tall = PANEL * f64::from(*count) / most;
        if *count > 0 {
            line(
                out,
                format_args!(
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" fill=\"#48c\"/>",
                    x(second as f64),
                    bottom - tall,
                    width / shown as f64
                ),
            );
        }
    }
    let mut path = String::new();
    for (second, online) in run.online.iter().take(shown).enumerate() {
        let share = *online as f64 / setup.devices as f64;
        let letter = if second == 0 { 'M' } else { 'L' };
        let _ = write!(
            path,
            "{letter}{:.1} {:.1}",
            x(second as f64),
            bottom - PANEL * share
        );
    }
    line(
        out,
        format_args!("<path d=\"{path}\" fill=\"none\" stroke=\"#c33\" stroke-width=\"1.5\"/>"),
    );
    line(
        out,
        format_args!(
            "<path d=\"M{LEFT} {top}V{bottom}H{:.1}V{top}\" fill=\"none\" stroke=\"#333\"/>",
            LEFT + width
        ),
    );
    for (share, y) in [(0, bottom), (100, top)] {
        line(
            out,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"#c33\">{share} %</text>",
                LEFT + width + 5.0,
                y + 4.0
            ),
        );
    }
    for (count, y) in [(0.0, bottom), (most, top)] {
        line(
            out,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#48c\">{count}</text>",
                LEFT - 5.0,
                y + 4.0
            ),
        );
    }
    // Every minute, or less often if there is no room.
    for second in (0..=shown).step_by(60 * shown.div_ceil(600)) {
        line(
            out,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{second} s</text>",
                x(second as f64),
                bottom + 16.0
            ),
        );
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{text}");
}
