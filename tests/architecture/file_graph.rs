//! Which file of a module uses which other file of it: `use` declarations and paths in the code, followed through re-exports to the file
//! that defines the name. The root of a directory (`mod.rs`) is left out: it names its children, and they name it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::sources;

/// A file, by its module path: `["store", "writer"]`.
pub(crate) type File = Vec<String>;

/// One name that a file uses, or gives to others under another path.
struct Use {
    path: Vec<String>,
    /// What it is called here.
    name: String,
    is_public: bool,
}

/// What one file defines and uses.
#[derive(Default)]
struct Content {
    items: BTreeSet<String>,
    uses: Vec<Use>,
}

/// All files.
pub(crate) struct FileGraph(BTreeMap<File, Content>);

impl FileGraph {
    pub(crate) fn read() -> Self {
        Self(
            sources::modules()
                .into_iter()
                .map(|(path, text)| (path, Content::read(&sources::tokens(&text))))
                .collect(),
        )
    }

    /// Every circle: the files that reach each other, by the names of their files below `src`.
    pub(crate) fn circles(&self) -> BTreeSet<Vec<String>> {
        let edges: BTreeMap<&File, BTreeSet<&File>> =
            self.0.keys().filter(|file| !self.is_root(file)).map(|file| (file, self.used_by(file))).collect();
        let reached: BTreeMap<&File, BTreeSet<&File>> =
            edges.keys().map(|file| (*file, reachable(file, &edges))).collect();
        let circle = |file: &File| -> Vec<String> {
            let others = reached[file].iter().filter(|other| reached[*other].contains(file));
            others.map(|other| other.join("/")).collect()
        };
        edges.keys().map(|file| circle(file)).filter(|circle| circle.len() > 1).collect()
    }

    /// Roots have children: `mod.rs`, or a file beside a directory of its name.
    fn is_root(&self, file: &File) -> bool {
        let mut behind = self.0.range::<File, _>((Bound::Excluded(file), Bound::Unbounded));
        behind.next().is_some_and(|(next, _)| next.starts_with(file))
    }

    /// The files of the same module that this file uses.
    fn used_by(&self, file: &File) -> BTreeSet<&File> {
        let uses = self.0[file].uses.iter();
        let targets = uses.filter_map(|used| self.resolve(file, &used.path, 0));
        targets.filter(|target| *target != file && target[0] == file[0] && !self.is_root(target)).collect()
    }

    /// The file that defines what the path names, seen from `file`.
    fn resolve(&self, file: &File, path: &[String], depth: usize) -> Option<&File> {
        const RE_EXPORTS_MAX: usize = 8;
        if depth > RE_EXPORTS_MAX {
            return None;
        }
        let (mut at, mut rest) = match path[0].as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (file.clone(), &path[1..]),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                (file[..file.len().checked_sub(up)?].to_vec(), &path[up..])
            }
            first if self.0.contains_key(&child(file, first)) => (file.clone(), path),
            _ => return None,
        };
        while let Some(next) = rest.first().filter(|next| self.0.contains_key(&child(&at, next))) {
            at = child(&at, next);
            rest = &rest[1..];
        }
        let (found, content) = self.0.get_key_value(&at)?;
        let Some(name) = rest.first().filter(|name| !content.items.contains(*name)) else {
            return Some(found);
        };
        let given = content.uses.iter().find(|used| used.is_public && used.name == *name);
        given.and_then(|used| self.resolve(found, &used.path, depth + 1)).or(Some(found))
    }
}

/// Every path that a source names, in `use` declarations and in its code.
pub(crate) fn paths(text: &str) -> Vec<Vec<String>> {
    Content::read(&sources::tokens(text)).uses.into_iter().map(|used| used.path).collect()
}

fn child(file: &File, name: &str) -> File {
    file.iter().cloned().chain([name.to_owned()]).collect()
}

fn reachable<'g>(from: &'g File, edges: &BTreeMap<&'g File, BTreeSet<&'g File>>) -> BTreeSet<&'g File> {
    let (mut reached, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(file) = waiting.pop() {
        let next = edges.get(file).into_iter().flatten();
        waiting.extend(next.filter(|next| reached.insert(**next)));
    }
    reached
}

impl Content {
    fn read(tokens: &[String]) -> Self {
        let mut content = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "use" => {
                    let is_public = at > 0 && matches!(tokens[at - 1].as_str(), "pub" | ")");
                    at = content.read_tree(tokens, at + 1, &[], is_public);
                }
                "struct" | "enum" | "trait" | "fn" | "const" | "static" | "type" | "union"
                    if at + 1 < tokens.len() =>
                {
                    content.items.insert(tokens[at + 1].clone());
                    at += 2;
                }
                _ if at + 1 < tokens.len() && tokens[at + 1] == "::" => at = content.read_path(tokens, at),
                _ => at += 1,
            }
        }
        content
    }

    /// A path in the code, such as `super::frame::encode`.
    fn read_path(&mut self, tokens: &[String], begin: usize) -> usize {
        let mut path = vec![tokens[begin].clone()];
        let mut at = begin + 1;
        while at + 1 < tokens.len()
            && tokens[at] == "::"
            && tokens[at + 1].starts_with(|first: char| first.is_alphanumeric() || first == '_')
        {
            path.push(tokens[at + 1].clone());
            at += 2;
        }
        self.uses.push(Use { path, name: String::new(), is_public: false });
        at.max(begin + 2)
    }

    /// One tree of a `use` declaration; returns the place behind it.
    fn read_tree(&mut self, tokens: &[String], begin: usize, prefix: &[String], is_public: bool) -> usize {
        let (mut path, mut at) = (prefix.to_vec(), begin);
        loop {
            match tokens[at].as_str() {
                "{" => {
                    at += 1;
                    while tokens[at] != "}" {
                        at = self.read_tree(tokens, at, &path, is_public);
                        at += usize::from(tokens[at] == ",");
                    }
                    return at + 1;
                }
                "::" => at += 1,
                word if tokens.get(at + 1).is_some_and(|next| next == "::") => {
                    path.push(word.to_owned());
                    at += 2;
                }
                word => {
                    let is_renamed = tokens.get(at + 1).is_some_and(|next| next == "as");
                    let name = if is_renamed { tokens[at + 2].clone() } else { word.to_owned() };
                    if word != "self" && word != "*" {
                        path.push(word.to_owned());
                    }
                    self.uses.push(Use { path, name, is_public });
                    return at + if is_renamed { 3 } else { 1 };
                }
            }
        }
    }
}

#[test]
fn a_name_is_followed_through_a_re_export_to_the_file_that_defines_it() {
    let file = |path: &str| -> File { path.split('/').map(str::to_owned).collect() };
    let content = |text: &str| Content::read(&sources::tokens(text));
    let graph = FileGraph(BTreeMap::from([
        (file("m"), content("mod a; mod b; pub use a::{A, AA as Other};")),
        (file("m/a"), content("use super::b::B; pub struct A; pub struct AA;")),
        (file("m/b"), content("use super::{Other}; pub struct B; fn f() { crate::m::A::new() }")),
        (file("m/c"), content("use super::b; fn g() { b::f() }")),
    ]));
    assert_eq!(graph.circles(), BTreeSet::from([vec!["m/a".to_owned(), "m/b".to_owned()]]));
}
