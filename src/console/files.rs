//! The console's files, embedded in the program at build time. Nothing is read from a disk at run time.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

/// An embedded file.
pub(super) struct StaticFile {
    pub(super) name: &'static str,
    pub(super) content_type: &'static str,
    pub(super) text: &'static str,
}

impl StaticFile {
    /// The `ETag`: a hash of the content.
    pub(super) fn etag(&self) -> String {
        format!("\"{}\"", short(&Sha256::digest(self.text)))
    }
}

fn short(hash: &[u8]) -> String {
    hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// A hash of all assets, by which an open page detects an update.
pub(super) fn build() -> &'static str {
    static BUILD: LazyLock<String> = LazyLock::new(|| {
        let mut hash = Sha256::new();
        ASSETS.iter().for_each(|file| hash.update(file.text));
        short(&hash.finalize())
    });
    &BUILD
}

macro_rules! file {
    ($kind:expr, $name:literal) => {
        StaticFile { name: $name, content_type: $kind, text: include_str!($name) }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) const BOARD: StaticFile = file!(HTML, "board.html");
pub(super) const DISPLAY: StaticFile = file!(HTML, "display.html");
pub(super) const PLAN: StaticFile = file!(HTML, "plan.html");
pub(super) const AUDIT: StaticFile = file!(HTML, "audit.html");
pub(super) const DOCTOR: StaticFile = file!(HTML, "doctor.html");

/// The scripts, styles and images of the pages.
pub(super) const ASSETS: &[StaticFile] = &[
    file!("text/css; charset=utf-8", "console.css"),
    file!("image/svg+xml", "icon.svg"),
    file!(SCRIPT, "action-button.js"),
    file!(SCRIPT, "api.js"),
    file!(SCRIPT, "audit.js"),
    file!(SCRIPT, "board.js"),
    file!(SCRIPT, "display.js"),
    file!(SCRIPT, "doctor.js"),
    file!(SCRIPT, "dom.js"),
    file!(SCRIPT, "layout.js"),
    file!(SCRIPT, "live.js"),
    file!(SCRIPT, "oidc.js"),
    file!(SCRIPT, "plan.js"),
    file!(SCRIPT, "room.js"),
    file!(SCRIPT, "session.js"),
    file!(SCRIPT, "sign-in.js"),
    file!(SCRIPT, "time.js"),
];
