//! Converts bodies between HTML and plain text, to the extent that meeting bodies need.

use crate::sim::xml::escape;

/// A body as HTML.
pub(super) fn page_of(body: &str, is_html: bool) -> String {
    match is_html {
        true => body.to_owned(),
        false => format!("<html><body><div>{}</div></body></html>", escape(body)),
    }
}

/// A body as text: without tags and without the page's `head`.
pub(super) fn text_of(body: &str, is_html: bool) -> String {
    if !is_html {
        return body.to_owned();
    }
    let body = body.rsplit_once("</head>").map_or(body, |(_, body)| body);
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, inside)) = rest.split_once('<') {
        text.push_str(before);
        let (tag, after) = inside.split_once('>').unwrap_or((inside, ""));
        if matches!(tag.trim_end_matches(['/', ' ']), "br" | "/p" | "/div") {
            text.push('\n');
        }
        rest = after;
    }
    text.push_str(rest);
    unescaped(text.trim())
}

fn unescaped(text: &str) -> String {
    let names = [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    names.iter().fold(text.to_owned(), |text, (name, sign)| text.replace(name, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_its_text() {
        let page =
            "<html><head><title>x</title></head><body><p>Bring &lt;tea&gt;</p><div>&amp; cake<br/></div>";
        assert_eq!(text_of(page, true), "Bring <tea>\n& cake");
        assert_eq!(text_of("a < b", false), "a < b");
        assert_eq!(page_of("a < b", false), "<html><body><div>a &lt; b</div></body></html>");
    }
}
