//! The progress of long work, for a listener that shows it. Never shows anything itself, and work without a listener counts nothing.

/// How far a phase of the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The phase, for people.
    pub phase: &'a str,
    /// Finished steps: 0 when the phase begins.
    pub done: usize,
    /// All steps.
    pub total: usize,
}

/// Receives the progress when a phase begins, and after each of its steps.
pub type ProgressListener = dyn Fn(Progress<'_>) + Send + Sync;

/// Counts the steps of one phase.
pub(crate) struct PhaseProgress<'a> {
    listener: Option<&'a ProgressListener>,
    progress: Progress<'a>,
}

impl<'a> PhaseProgress<'a> {
    /// Begins a phase.
    pub(crate) fn begin(listener: Option<&'a ProgressListener>, phase: &'a str, total: usize) -> Self {
        let begun = Self { listener, progress: Progress { phase, done: 0, total } };
        begun.report();
        begun
    }

    /// Counts a finished step.
    pub(crate) fn step(&mut self) {
        self.progress.done += 1;
        self.report();
    }

    fn report(&self) {
        if let Some(listener) = self.listener {
            listener(self.progress);
        }
    }
}
