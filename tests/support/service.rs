//! The options of a service in tests. Tests change single fields of them (`ServiceOptions { horizon, ..service_options(rules) }`).

use adjourn::cleanup::Rules;
use adjourn::service::{Schedule, ServiceOptions};
use chrono::TimeDelta;

/// A service with these rules and an hourly sweep.
pub fn service_options(rules: Rules) -> ServiceOptions {
    ServiceOptions {
        rules,
        max_state_age: TimeDelta::seconds(15),
        release_warning: TimeDelta::minutes(3),
        horizon: TimeDelta::hours(24),
        max_concurrent_rooms: 4,
        schedules: vec![Schedule::new("hourly", "0 * * * *", "UTC").unwrap()],
        report_organizers: false,
        display_lost_after: TimeDelta::minutes(10),
    }
}
