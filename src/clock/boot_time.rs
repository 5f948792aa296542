//! The time since the machine was started. Unlike the clock of `std::time::Instant` on Linux, it goes on while the machine is
//! suspended. No step of the wall clock changes it.

use std::time::Duration;

/// The time since the machine was started, suspension included; on systems other than Linux since the process first asked.
#[cfg(target_os = "linux")]
pub(super) fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// The same where no such clock can be read: suspension may be left out.
#[cfg(not(target_os = "linux"))]
pub(super) fn since_boot() -> Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on() {
        let before = since_boot();
        std::thread::sleep(Duration::from_millis(2));
        assert!(since_boot() >= before + Duration::from_millis(2));
    }
}
