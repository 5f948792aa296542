//! The console's files, embedded in the program at build time. Nothing is read from a disk at run time.

use std::borrow::Cow;
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

/// An embedded file.
pub(super) struct StaticFile {
    pub(super) name: &'static str,
    pub(super) content_type: &'static str,
    text: &'static str,
}

impl StaticFile {
    /// The content. A page has the build in the addresses of its files, so that it never runs with files of another build.
    pub(super) fn content(&self) -> Cow<'static, str> {
        if self.content_type == HTML {
            self.text.replace("{build}", build()).into()
        } else {
            self.text.into()
        }
    }
}

/// A hash of all files, by which an open page detects an update and a browser an old copy.
pub(super) fn build() -> &'static str {
    static BUILD: LazyLock<String> = LazyLock::new(|| {
        let mut hash = Sha256::new();
        PAGES.iter().map(|(_, file)| file).chain(ASSETS).for_each(|file| hash.update(file.text));
        hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    });
    &BUILD
}

/// The languages of door displays: those with a catalogue among the assets.
pub(super) fn languages() -> impl Iterator<Item = &'static str> {
    let names = ASSETS.iter().filter_map(|file| file.name.strip_prefix("languages/"));
    names.filter_map(|name| name.strip_suffix(".js"))
}

/// The asset at this path below `/console/`, with or without the build before its name. Files of other builds are not found.
pub(super) fn asset(path: &str) -> Option<&'static StaticFile> {
    let name = path.strip_prefix(build()).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
    ASSETS.iter().find(|file| file.name == name)
}

macro_rules! file {
    ($kind:expr, $name:literal) => {
        StaticFile { name: $name, content_type: $kind, text: include_str!($name) }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The files outside of `/console/`, with their routes: the pages, and the service worker of door displays, whose address decides which
/// pages it may serve.
pub(super) const PAGES: &[(&str, StaticFile)] = &[
    ("/", file!(HTML, "board.html")),
    ("/rooms/{room}", file!(HTML, "display.html")),
    ("/plan", file!(HTML, "plan.html")),
    ("/audit", file!(HTML, "audit.html")),
    ("/report", file!(HTML, "report.html")),
    ("/doctor", file!(HTML, "doctor.html")),
    ("/keys", file!(HTML, "keys.html")),
    ("/check-in", file!(HTML, "check-in.html")),
    ("/displays", file!(HTML, "displays.html")),
    ("/display", file!(HTML, "pairing.html")),
    ("/display-worker.js", file!(SCRIPT, "display-worker.js")),
];

/// The scripts, styles and images of the pages.
pub(super) const ASSETS: &[StaticFile] = &[
    file!(STYLE, "console.css"),
    file!(STYLE, "check-in.css"),
    file!(STYLE, "display.css"),
    file!("application/manifest+json", "display.webmanifest"),
    file!("image/svg+xml", "icon.svg"),
    file!(SCRIPT, "action-button.js"),
    file!(SCRIPT, "api.js"),
    file!(SCRIPT, "audit.js"),
    file!(SCRIPT, "board.js"),
    file!(SCRIPT, "booking.js"),
    file!(SCRIPT, "build.js"),
    file!(SCRIPT, "check-in.js"),
    file!(SCRIPT, "check-in-code.js"),
    file!(SCRIPT, "day.js"),
    file!(SCRIPT, "day-column.js"),
    file!(SCRIPT, "display.js"),
    file!(SCRIPT, "display-sentences.js"),
    file!(SCRIPT, "displays.js"),
    file!(SCRIPT, "doctor.js"),
    file!(SCRIPT, "dom.js"),
    file!(SCRIPT, "filter.js"),
    file!(SCRIPT, "key-form.js"),
    file!(SCRIPT, "key-secret.js"),
    file!(SCRIPT, "keys.js"),
    file!(SCRIPT, "kiosk.js"),
    file!(SCRIPT, "language.js"),
    file!(SCRIPT, "languages/ar.js"),
    file!(SCRIPT, "languages/de.js"),
    file!(SCRIPT, "languages/en.js"),
    file!(SCRIPT, "languages/es.js"),
    file!(SCRIPT, "languages/fr.js"),
    file!(SCRIPT, "languages/he.js"),
    file!(SCRIPT, "languages/ja.js"),
    file!(SCRIPT, "languages/nl.js"),
    file!(SCRIPT, "languages/pl.js"),
    file!(SCRIPT, "layout.js"),
    file!(SCRIPT, "live.js"),
    file!(SCRIPT, "nearby.js"),
    file!(SCRIPT, "oidc.js"),
    file!(SCRIPT, "pairing.js"),
    file!(SCRIPT, "pin.js"),
    file!(SCRIPT, "plan-summary.js"),
    file!(SCRIPT, "plan.js"),
    file!(SCRIPT, "report.js"),
    file!(SCRIPT, "restart.js"),
    file!(SCRIPT, "room.js"),
    file!(SCRIPT, "session.js"),
    file!(SCRIPT, "sign-in.js"),
    file!(SCRIPT, "time.js"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_catalogue_and_the_script_lists_the_same_ones() {
        let languages: Vec<_> = languages().collect();
        assert_eq!(languages, ["ar", "de", "en", "es", "fr", "he", "ja", "nl", "pl"]);
        let script = ASSETS.iter().find(|file| file.name == "language.js").unwrap().text;
        let list = format!("LANGUAGES = {languages:?};");
        assert!(script.contains(&list), "{list}");
    }
}
