//! The namespaces of SOAP and EWS, and escaping. Parses nothing.

pub(crate) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

pub(crate) const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";

pub(crate) const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";

/// Escapes text for element content and attributes. Characters that XML forbids become numeric references: Exchange
/// writes them so, and clients fail on them.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("&#x{:X};", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out
}
