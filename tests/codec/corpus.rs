//! Real responses, collected outside this repository: ADJOURN_SAMPLES names their directory with `samples/` and an index. Without
//! it the tests print that they checked nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjourn::ews::codec::{DecodeLimits, decode, decode_with_scanner};

use crate::checks;

/// Cuts of one sample; longer samples are cut at this many evenly spaced offsets.
const CUTS_MAX: usize = 4_000;

struct Sample {
    file: String,
    operation: String,
    kind: String,
    origin: String,
    version: String,
    body: Vec<u8>,
}

fn samples() -> Vec<Sample> {
    let Some(root) = std::env::var_os("ADJOURN_SAMPLES").map(PathBuf::from) else {
        println!("ADJOURN_SAMPLES is not set: no sample was checked");
        return Vec::new();
    };
    let directory = root.join("samples");
    let rows = index(&directory);
    assert!(rows.len() > 100, "an index of {} samples in {}", rows.len(), directory.display());
    rows
}

fn index(directory: &Path) -> Vec<Sample> {
    let is_index = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "tsv");
    let path =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).find(is_index).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let names: Vec<&str> = text.lines().next().unwrap().split('\t').collect();
    let sample = |line: &str| {
        let columns: BTreeMap<&str, &str> = names.iter().copied().zip(line.split('\t')).collect();
        let body = std::fs::read(directory.join(columns["file"])).ok()?;
        let column = |name: &str| columns[name].to_owned();
        let (operation, kind) = (column("operation"), column("kind"));
        Some(Sample {
            file: column("file"),
            operation,
            kind,
            origin: column("origin"),
            version: column("version"),
            body,
        })
    };
    text.lines().skip(1).filter_map(sample).collect()
}

#[test]
fn every_sample_is_an_answer_or_an_error_that_says_where_and_both_paths_agree() {
    for sample in samples() {
        let decoded = checks::decodes_or_says_where(&sample.body, &DecodeLimits::default());
        checks::scanner_agrees_with_reader(&sample.body, &DecodeLimits::default());
        checks::cuts_the_same_whatever_the_pieces(&sample.body);
        if let Err(error) = decoded {
            println!("{}: {error}", sample.file);
        }
    }
}

#[test]
fn every_sample_cut_anywhere() {
    for sample in samples() {
        let step = sample.body.len().div_ceil(CUTS_MAX).max(1);
        for cut in (0..sample.body.len()).step_by(step) {
            let _ = checks::decodes_or_says_where(&sample.body[..cut], &DecodeLimits::default());
            checks::scanner_agrees_with_reader(&sample.body[..cut], &DecodeLimits::default());
        }
    }
}

/// Captures and fixtures of Exchange 2013 and later that respond to the scanner's operations.
fn is_our_business(sample: &Sample) -> bool {
    sample.kind == "response"
        && sample.version.starts_with("15.")
        && matches!(sample.origin.as_str(), "real-capture" | "test-fixture")
        && matches!(
            sample.operation.as_str(),
            "FindItem" | "GetItem" | "UpdateItem" | "DeleteItem" | "CreateItem"
        )
        && decode(&sample.body, &DecodeLimits::default()).is_ok()
}

#[test]
fn nine_in_ten_real_answers_take_the_fast_path() {
    let ours: Vec<Sample> = samples().into_iter().filter(is_our_business).collect();
    let mut fast = 0;
    for sample in &ours {
        match decode_with_scanner(&sample.body, &DecodeLimits::default()) {
            Ok(_) => fast += 1,
            Err(declined) => println!("{} ({}): {declined}", sample.file, sample.operation),
        }
    }
    println!("{fast} of {} responses on the fast path", ours.len());
    assert!(fast * 10 >= ours.len() * 9, "{fast} of {}", ours.len());
}
