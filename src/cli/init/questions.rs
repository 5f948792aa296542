//! Asks the person at the terminal, one line for each question. Never reads a secret.

use std::io::{self, BufRead as _, Read as _, Write as _};

use super::super::exit::{CommandError, Exit};
use crate::printable::is_printable;

/// Bytes of an answer.
pub(in crate::cli) const ANSWER_BYTES_MAX: usize = 4_096;
/// Answers to one question that may be wrong.
pub(in crate::cli) const ATTEMPTS_MAX: usize = 5;

/// What is asked.
pub(super) struct Question<'q> {
    /// The flag that answers it.
    pub(super) flag: &'q str,
    /// The question.
    pub(super) text: &'q str,
    /// The answer to an empty line; `None`: an answer is needed. Empty: none is.
    pub(super) default: Option<&'q str>,
}

/// Something that answers questions.
pub(super) trait Questions {
    /// The next answer to the question, as it was written.
    fn answer(&mut self, question: &Question<'_>) -> Result<String, CommandError>;

    /// Shows why an answer cannot be taken, before it is asked again.
    fn refuse(&mut self, why: &str);
}

/// Asks until an answer can be taken.
pub(super) fn ask<T>(
    questions: &mut dyn Questions,
    question: &Question<'_>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, CommandError> {
    for _ in 0..ATTEMPTS_MAX {
        let answer = questions.answer(question)?;
        let answer = match (answer.trim(), question.default) {
            ("", Some(default)) => default,
            (answer, _) => answer,
        };
        let parsed = match is_printable(answer) {
            true => parse(answer),
            false => Err("the answer has characters that cannot be printed".to_owned()),
        };
        match parsed {
            Ok(value) => return Ok(value),
            Err(why) => questions.refuse(&why),
        }
    }
    Err(CommandError::new(Exit::Usage, format!("no usable answer; give it with {}", question.flag)))
}

/// Nobody is asked: each question needs its flag.
pub(super) struct NoQuestions;

impl Questions for NoQuestions {
    fn answer(&mut self, question: &Question<'_>) -> Result<String, CommandError> {
        match question.default {
            Some(default) => Ok(default.to_owned()),
            None => Err(CommandError::new(
                Exit::Usage,
                format!("standard input is no terminal, so nobody can be asked: give {}", question.flag),
            )),
        }
    }

    fn refuse(&mut self, _: &str) {}
}

/// Asks on stderr, and reads answers from stdin.
pub(super) struct TerminalQuestions;

impl Questions for TerminalQuestions {
    fn answer(&mut self, question: &Question<'_>) -> Result<String, CommandError> {
        let default = match question.default {
            Some("") => " [none]".to_owned(),
            Some(default) => format!(" [{default}]"),
            None => String::new(),
        };
        let mut stderr = io::stderr().lock();
        // Without stderr the questions are not seen, and may still be answered.
        let _ = write!(stderr, "{}{default}: ", question.text).and_then(|()| stderr.flush());
        let mut line = String::new();
        let read = io::stdin().lock().take(ANSWER_BYTES_MAX as u64).read_line(&mut line);
        match read {
            Ok(0) => {
                Err(CommandError::new(Exit::Usage, format!("no answer: give it with {}", question.flag)))
            }
            Ok(_) => Ok(line),
            Err(error) => Err(CommandError::new(Exit::Usage, "cannot read the answer").caused_by(error)),
        }
    }

    fn refuse(&mut self, why: &str) {
        let _ = writeln!(io::stderr().lock(), "  {why}");
    }
}
