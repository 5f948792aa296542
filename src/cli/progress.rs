//! Shows the progress of long commands on stderr: a bar on a terminal, else a line now and then.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;
use crate::progress::{Progress, ProgressListener};

/// The listener for this output.
pub(super) fn progress_listener(output: &Output) -> Box<ProgressListener> {
    if output.is_quiet() {
        return Box::new(|_| {});
    }
    if !output.is_watched() {
        return Box::new(print_tenths);
    }
    let bar = Mutex::new(ProgressBar::hidden());
    Box::new(move |progress| show_bar(&mut bar.lock().unwrap_or_else(PoisonError::into_inner), progress))
}

/// Shows a bar for each phase until its last step.
fn show_bar(bar: &mut ProgressBar, Progress { phase, done, total }: Progress<'_>) {
    if done == 0 {
        *bar = ProgressBar::new(total as u64).with_message(phase.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        return;
    }
    bar.set_position(done as u64);
    if done == total {
        bar.finish_and_clear();
    }
}

/// Prints a line on stderr at every tenth of the work. Few steps finish before anybody reads about them.
pub(super) fn print_tenths(Progress { phase, done, total }: Progress<'_>) {
    let tenth = total.div_ceil(10).max(1);
    if total >= 10 && done > 0 && (done.is_multiple_of(tenth) || done == total) {
        eprintln!("{phase}: {done} of {total}");
    }
}
