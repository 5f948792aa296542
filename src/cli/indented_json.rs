//! Indents a JSON text as `serde_json::to_string_pretty` does, and keeps the order of its members. Pure; checks nothing.

/// Spaces of one level.
const INDENT: &str = "  ";

/// The same JSON, one member or element a line.
pub(super) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let mut letters = json.trim().chars().peekable();
    while let Some(letter) = letters.next() {
        if in_string {
            text.push(letter);
            in_string = letter != '"' || is_escaped;
            is_escaped = letter == '\\' && !is_escaped;
            continue;
        }
        match letter {
            '"' => {
                in_string = true;
                text.push(letter);
            }
            '{' | '[' => {
                while letters.next_if(char::is_ascii_whitespace).is_some() {}
                text.push(letter);
                if let Some(end) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    new_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(letter);
            }
            ',' => {
                text.push(letter);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            letter if letter.is_ascii_whitespace() => {}
            letter => text.push(letter),
        }
    }
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    (0..depth).for_each(|_| text.push_str(INDENT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_serde_json() {
        let value = serde_json::json!({
            "a": [], "b": {}, "c": [1, -2.5, null, true], "d": {"e": "x, {y}: \"z\" \\", "f": [[], {"g": []}]}, "h": "\\\"",
        });
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        assert_eq!(indented(&value.to_string()), pretty);
        assert_eq!(indented(&pretty), pretty, "whitespace is no content");
        assert_eq!(indented(r#"{"b":1,"a":2}"#), "{\n  \"b\": 1,\n  \"a\": 2\n}");
    }
}
