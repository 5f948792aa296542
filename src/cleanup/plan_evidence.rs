//! The evidence that a plan rests on: which rooms a source watched when the plan was made, and the signs that arrived. Counts only;
//! it decides about no event, and a plan with little evidence keeps its events by the rule itself. Pure.

use chrono::{DateTime, Utc};

use crate::calendar::RoomAddress;
use crate::presence::{PresenceState, RoomWatch, Sign};

/// The evidence for the rooms of a plan in which the check-in rule is on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanEvidence {
    /// The rooms of the plan in which the check-in rule is on. The other counts are of these rooms.
    pub rooms: usize,
    /// Rooms that a source watches now.
    pub watched: usize,
    /// Rooms that have sources, all of them silent for too long.
    pub silent: usize,
    /// Rooms without a source.
    pub without_source: usize,
    /// Signs of presence in these rooms. Repeated signs of a source within an hour count as one.
    pub signs: usize,
    /// The time of the oldest of them.
    pub oldest_sign: Option<DateTime<Utc>>,
    /// The time of the newest of them.
    pub newest_sign: Option<DateTime<Utc>>,
    /// Since when the service has received signs without a pause.
    pub receiving_since: Option<DateTime<Utc>>,
}

impl PlanEvidence {
    /// The evidence for these rooms, each with the group whose feeds watch it.
    pub(super) fn of<'a>(
        presence: &PresenceState,
        rooms: impl Iterator<Item = (&'a RoomAddress, Option<&'a str>)>,
        now: DateTime<Utc>,
    ) -> Self {
        let receiving_since = presence.watch.receiving_since(now);
        let mut evidence = Self { receiving_since, ..Self::default() };
        for (room, group) in rooms {
            evidence.rooms += 1;
            match presence.room_watch(room, group, now) {
                RoomWatch::Watched => evidence.watched += 1,
                RoomWatch::Silent => evidence.silent += 1,
                RoomWatch::NoSource => evidence.without_source += 1,
            }
            for sign in presence.signs.of_room(room) {
                evidence.add_sign(sign);
            }
        }
        evidence
    }

    fn add_sign(&mut self, sign: &Sign) {
        let (first, last) = (sign.at, sign.latest_at());
        self.signs += 1;
        self.oldest_sign = Some(self.oldest_sign.map_or(first, |oldest| oldest.min(first)));
        self.newest_sign = Some(self.newest_sign.map_or(last, |newest| newest.max(last)));
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::presence::Interval;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn rooms_are_counted_by_the_state_of_their_sources() {
        let mut presence = PresenceState::default();
        presence.watch.add_intake(Interval::new(at(0), at(300)).unwrap());
        let rooms: Vec<RoomAddress> = ["live", "silent", "bare"]
            .iter()
            .map(|name| format!("{name}@x.example").parse().unwrap())
            .collect();
        let group = |name| Some(name);
        presence.watch.record_feed_contact(Some("live".to_owned()), ("motion", "key"), at(290));
        presence.watch.record_feed_contact(Some("silent".to_owned()), ("motion", "key"), at(10));
        // The last two are merged into one.
        for minute in [20, 280, 290] {
            presence.signs.push(Sign::new(rooms[0].clone(), at(minute), "motion"));
        }
        let grouped = rooms.iter().zip(["live", "silent", "bare"].map(group));
        let evidence = PlanEvidence::of(&presence, grouped, at(299));
        let expected = PlanEvidence {
            rooms: 3,
            watched: 1,
            silent: 1,
            without_source: 1,
            signs: 2,
            oldest_sign: Some(at(20)),
            newest_sign: Some(at(290)),
            receiving_since: Some(at(0)),
        };
        assert_eq!(evidence, expected);
        let none =
            PlanEvidence::of(&PresenceState::default(), rooms.iter().map(|room| (room, None)), at(299));
        assert_eq!(none, PlanEvidence { rooms: 3, without_source: 3, ..PlanEvidence::default() });
    }
}
