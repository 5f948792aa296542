//! Progress of long commands: a bar on a terminal, else a line now and then.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cleanup::Progress;

/// A progress bar on a terminal.
pub(super) struct ProgressBarLine(Mutex<Option<ProgressBar>>);

impl ProgressBarLine {
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn with(&self, f: impl FnOnce(&mut Option<ProgressBar>)) {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Progress for ProgressBarLine {
    fn begin(&self, what: &str, total: usize) {
        self.with(|bar| {
            let new = ProgressBar::new(total as u64).with_message(what.to_owned());
            if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {eta}") {
                new.set_style(style);
            }
            *bar = Some(new);
        });
    }

    fn step(&self) {
        self.with(|bar| {
            if let Some(bar) = bar {
                bar.inc(1);
                if bar.length() == Some(bar.position()) {
                    bar.finish_and_clear();
                }
            }
        });
    }
}

/// A line on stderr at every tenth of the work.
#[derive(Default)]
pub(super) struct ProgressLines {
    what: Mutex<String>,
    total: AtomicUsize,
    done: AtomicUsize,
}

impl Progress for ProgressLines {
    fn begin(&self, what: &str, total: usize) {
        what.clone_into(&mut self.what.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        self.total.store(total, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
    }

    fn step(&self) {
        let (done, total) =
            (self.done.fetch_add(1, Ordering::Relaxed) + 1, self.total.load(Ordering::Relaxed));
        let tenth = total.div_ceil(10).max(1);
        // Few steps finish before anybody reads about them.
        if total >= 10 && (done.is_multiple_of(tenth) || done == total) {
            let what = self.what.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            eprintln!("{what}: {done} of {total}");
        }
    }
}
