//! QR codes (ISO/IEC 18004) as the path of an SVG image. Pure; what is written in a code is the caller's business.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};
use serde::Serialize;
use utoipa::ToSchema;

/// A QR code to draw.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct QrCodeView {
    /// Modules on each side, without the quiet zone of four modules that the code needs around it.
    #[schema(example = 45)]
    pub modules: i32,
    /// The dark modules as the `d` of an SVG path, one unit for each module, from 0 to `modules`.
    #[schema(value_type = String, example = "M0 0h7v1h-7zM9 0h2v1h-2z")]
    pub path: String,
}

impl QrCodeView {
    /// The code of this text, with error correction for at least 15 % of it; `None` for a text that is too long for any code.
    pub(super) fn of(text: &str) -> Option<Self> {
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
        let modules = code.size();
        let mut path = String::new();
        for y in 0..modules {
            for (x, length) in dark_runs(&code, y) {
                // Writing to a `String` cannot fail.
                let _ = write!(path, "M{x} {y}h{length}v1h-{length}z");
            }
        }
        Some(Self { modules, path })
    }
}

/// The dark runs of a row: where each begins, and its length.
fn dark_runs(code: &QrCode, y: i32) -> Vec<(i32, i32)> {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
        match runs.last_mut() {
            Some((start, length)) if *start + *length == x => *length += 1,
            _ => runs.push((x, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_covers_exactly_the_dark_modules() {
        let text = "https://adjourn.example.com/check-in#AWk";
        let view = QrCodeView::of(text).unwrap();
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
        let mut dark = vec![];
        for run in view.path.split_terminator('z') {
            let (x, rest) = run.strip_prefix('M').unwrap().split_once(' ').unwrap();
            let (y, rest) = rest.split_once('h').unwrap();
            let (x, y, length): (i32, i32, i32) =
                (x.parse().unwrap(), y.parse().unwrap(), rest.split_once('v').unwrap().0.parse().unwrap());
            assert_eq!(rest, format!("{length}v1h-{length}"));
            dark.extend((x..x + length).map(|x| (x, y)));
        }
        let all = (0..view.modules).flat_map(|y| (0..view.modules).map(move |x| (x, y)));
        assert_eq!(dark, all.filter(|(x, y)| code.get_module(*x, *y)).collect::<Vec<_>>());
        assert!(view.path.starts_with("M0 0h7v1h-7z"), "a finder pattern is in the corner");
    }

    #[test]
    fn a_text_beyond_every_code_has_none() {
        assert_eq!(QrCodeView::of(&"x".repeat(3_000)), None);
    }
}
