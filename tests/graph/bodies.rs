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

/// A small generator; the seed of a failure is in its message.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn damaged_responses_never_panic() {
    const PIECES: [&str; 12] = [
        "null",
        "{",
        "}",
        "[]",
        "-1",
        "1e999",
        "\"\"",
        "\\ud83d",
        "9999-12-31T23:59:59",
        "0000-00-00",
        ",\"id\":7",
        "true",
    ];
    let seeds = [
        include_str!("../../fixtures/graph/event-attendee-copy.json"),
        include_str!("../../fixtures/graph/series-master.json"),
    ];
    for seed in 0..3_000_u64 {
        let mut state = seed;
        let mut body = format!(
            r#"{{"value":[{0}],"responses":[{{"id":0,"status":200,"body":{{"value":[{0}]}}}}]}}"#,
            seeds[next(&mut state) % 2]
        );
        for _ in 0..1 + next(&mut state) % 3 {
            let at = next(&mut state) % body.len();
            let end = (at + next(&mut state) % 12).min(body.len());
            body.replace_range(at..end, PIECES[next(&mut state) % PIECES.len()]);
        }
        let read = std::panic::catch_unwind(|| read_as_every_type(body.as_bytes()));
        assert!(read.is_ok(), "seed {seed}: {body}");
    }
}
