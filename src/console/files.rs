//! The console's files, embedded: what runs is what was built, and nothing is read from a disk.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

/// A file that is served as it is.
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) text: &'static str,
}

impl File {
    /// Changes with the file.
    pub(super) fn tag(&self) -> String {
        format!("\"{}\"", short(&Sha256::digest(self.text)))
    }
}

fn short(hash: &[u8]) -> String {
    hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// Changes with any of what pages are made of.
pub(super) fn build() -> &'static str {
    static BUILD: LazyLock<String> = LazyLock::new(|| {
        let mut hash = Sha256::new();
        PARTS.iter().for_each(|file| hash.update(file.text));
        short(&hash.finalize())
    });
    &BUILD
}

macro_rules! file {
    ($kind:expr, $name:literal) => {
        File { name: $name, kind: $kind, text: include_str!($name) }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) const BOARD: File = file!(HTML, "board.html");
pub(super) const DISPLAY: File = file!(HTML, "display.html");
pub(super) const PLAN: File = file!(HTML, "plan.html");
pub(super) const AUDIT: File = file!(HTML, "audit.html");
pub(super) const DOCTOR: File = file!(HTML, "doctor.html");

/// What pages are made of.
pub(super) const PARTS: &[File] = &[
    file!("text/css; charset=utf-8", "console.css"),
    file!("image/svg+xml", "icon.svg"),
    file!(SCRIPT, "api.js"),
    file!(SCRIPT, "audit.js"),
    file!(SCRIPT, "board.js"),
    file!(SCRIPT, "display.js"),
    file!(SCRIPT, "doctor.js"),
    file!(SCRIPT, "dom.js"),
    file!(SCRIPT, "frame.js"),
    file!(SCRIPT, "live.js"),
    file!(SCRIPT, "oidc.js"),
    file!(SCRIPT, "plan.js"),
    file!(SCRIPT, "press.js"),
    file!(SCRIPT, "room.js"),
    file!(SCRIPT, "session.js"),
    file!(SCRIPT, "sign-in.js"),
    file!(SCRIPT, "time.js"),
];
