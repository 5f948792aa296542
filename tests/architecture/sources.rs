//! The sources of this crate as tokens, without comments, text and test code. Enough to read `use` declarations, paths and the names of
//! items; it is no parser of Rust.

use std::path::{Path, PathBuf};

/// All files in a folder and in the folders below it.
pub(crate) fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => walk(&path, files),
            false => files.push(path),
        }
    }
}

/// The Rust files of `src` but `lib.rs`, `main.rs` and tests, each with its module path: `src/store/mod.rs` is `["store"]`.
pub(crate) fn modules() -> Vec<(Vec<String>, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    let rust = files.into_iter().filter(|file| file.extension().is_some_and(|ext| ext == "rs"));
    let module = |file: &Path| -> Vec<String> {
        let inside = file.strip_prefix(&root).unwrap().with_extension("");
        let mut path: Vec<String> = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        path.pop_if(|last| last == "mod");
        path
    };
    let all = rust.map(|file| (module(&file), std::fs::read_to_string(&file).unwrap()));
    all.filter(|(path, _)| !path.iter().any(|part| part == "tests") && *path != ["lib"] && *path != ["main"])
        .collect()
}

/// The tokens of a source: words, `::`, and single characters.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut rest = text;
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let len = match first {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ if raw_text_len(rest).is_some() => raw_text_len(rest).unwrap_or_default(),
            '"' => text_len(rest),
            '\'' => char_len(rest),
            _ if rest.starts_with("::") => 2,
            _ if is_word(first) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        let token = &rest[..len];
        if token == "::"
            || token.starts_with(is_word) && raw_text_len(rest).is_none()
            || len == 1 && !first.is_whitespace()
        {
            tokens.push(token.to_owned());
        }
        rest = &rest[len..];
    }
    without_tests(&tokens)
}

/// Of `r"…"`, `r#"…"#`, `br"…"`.
fn raw_text_len(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = inner.len() - inner.trim_start_matches('#').len();
    inner[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = rest.len() - inner.len() + hashes + 1;
    rest[begin..].find(&end).map(|at| begin + at + end.len())
}

fn text_len(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

/// A character between apostrophes, or the apostrophe of a lifetime.
fn char_len(rest: &str) -> usize {
    let letters: Vec<char> = rest.chars().take(3).collect();
    match letters[..] {
        ['\'', '\\', _] => 3 + rest[3..].find('\'').map_or(0, |end| end + 1),
        ['\'', letter, '\''] => 2 + letter.len_utf8(),
        _ => 1,
    }
}

/// Leaves out every item under `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().map(String::as_str).take(MARK.len()).eq(MARK) {
            at = end_of_item(tokens, at + MARK.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Behind the `;` of the item that begins here, or behind the `}` of its body.
fn end_of_item(tokens: &[String], begin: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(begin) {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[test]
fn comments_text_and_tests_are_no_tokens() {
    let source = "use a::{b, c}; // x::y\nfn f<'a>(x: &'a str) { g(\"p::q\", 'c', '\\'', r#\"s::\"t\"#) }\n\
                  #[cfg(test)]\nuse t::u;\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn h() { } }\nconst N: u8 = 1;";
    let words = tokens(source).join(" ");
    assert_eq!(
        words,
        "use a :: { b , c } ; fn f < ' a > ( x : & ' a str ) { g ( , , , ) } const N : u8 = 1 ;"
    );
}
