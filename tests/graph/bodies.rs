//! Decoding of any bytes: no panic, and no success from a part of a response. With `ADJOURN_GRAPH_SAMPLES`, every file of that
//! directory is decoded too, whole and cut at every byte.

use std::fs;
use std::path::Path;

use adjourn::graph::read_as_every_type;

/// The file is JSON that decodes, and no part of it does.
fn decodes_whole_alone(body: &[u8], name: &str) {
    let body = body.trim_ascii_end();
    assert!(!read_as_every_type(body).is_empty(), "{name} decodes as no resource type");
    for cut in 0..body.len() {
        let types = read_as_every_type(&body[..cut]);
        assert!(types.is_empty(), "{name}, cut at {cut}, decodes as {types:?}");
    }
}

fn decode_files(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            decodes_whole_alone(&fs::read(&path).unwrap(), &path.display().to_string());
            count += 1;
        }
    }
    count
}

#[test]
fn our_own_responses_decode_whole_alone() {
    assert_eq!(decode_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/graph")), 2);
}

/// CI names the directory; elsewhere there may be none.
#[test]
fn recorded_and_documented_responses_decode_whole_alone() {
    if let Some(folder) = std::env::var_os("ADJOURN_GRAPH_SAMPLES") {
        assert!(decode_files(Path::new(&folder)) > 50);
    }
}

#[test]
fn bytes_that_are_no_response_are_errors() {
    for body in [&b""[..], b" ", b"{", b"\xff\xfe{}", b"\xef\xbb\xbf", b"<html>", b"nul"] {
        assert!(read_as_every_type(body).is_empty(), "{body:?}");
    }
}
