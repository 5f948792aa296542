//! `adjourn wire`: decodes captured EWS responses. For support and tests. Never sends anything.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{WireArgs, WireCommand, WirePath};
use super::exit::{CommandError, Exit};
use super::output::Output;
use crate::ews::codec::{DecodeLimits, Decoded, decode, decode_with_reader, decode_with_scanner};

pub(super) fn run(args: WireArgs, output: &Output) -> Result<Exit, CommandError> {
    match args.command {
        WireCommand::Decode { files, path } => decode_files(&files, path, output),
    }
}

/// The result of decoding one file.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum DecodeReport<'a> {
    Decoded {
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        declined: Option<String>,
        answer: &'a Decoded<'a>,
    },
    Error(String),
}

fn decode_files(files: &[PathBuf], path: WirePath, output: &Output) -> Result<Exit, CommandError> {
    let mut exit = Exit::Done;
    for file in files {
        let body = read(file)?;
        let decoded = match path {
            WirePath::Both => decode(&body, &DecodeLimits::default()).map_err(|error| error.to_string()),
            WirePath::Reader => {
                decode_with_reader(&body, &DecodeLimits::default()).map_err(|error| error.to_string())
            }
            WirePath::Scanner => {
                decode_with_scanner(&body, &DecodeLimits::default()).map_err(|declined| declined.to_string())
            }
        };
        let report = match &decoded {
            Ok(answer) => DecodeReport::Decoded {
                path: answer.path.as_str().to_owned(),
                declined: answer.path.declined().map(|declined| declined.to_string()),
                answer,
            },
            Err(error) => {
                exit = Exit::Usage;
                DecodeReport::Error(error.clone())
            }
        };
        // One JSON document per file, with or without --json: a tree has no other form.
        let text = serde_json::to_string_pretty(&DecodedFile { file, report }).map_err(|error| {
            CommandError::new(Exit::Usage, "cannot serialize the result as JSON").caused_by(error)
        })?;
        output.json(&text)?;
    }
    Ok(exit)
}

#[derive(Serialize)]
struct DecodedFile<'a> {
    file: &'a Path,
    #[serde(flatten)]
    report: DecodeReport<'a>,
}

/// Bytes of a capture.
const CAPTURE_BYTES_MAX: u64 = 256 << 20;

fn read(file: &Path) -> Result<Vec<u8>, CommandError> {
    let unreadable = |error: io::Error| {
        CommandError::new(Exit::Usage, format!("cannot read {}", file.display())).caused_by(error)
    };
    let mut body = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().take(CAPTURE_BYTES_MAX).read_to_end(&mut body).map_err(unreadable)?;
    } else {
        File::open(file)
            .map_err(unreadable)?
            .take(CAPTURE_BYTES_MAX)
            .read_to_end(&mut body)
            .map_err(unreadable)?;
    }
    Ok(body)
}
