//! Fills a world: single rooms, people and meetings, a demo office, and any number of rooms for load tests.
//!
//! Seeded copies are written straight into the calendars, as if everything had been sent and accepted long ago: no mail,
//! no booking attendant.

use chrono::{DateTime, Datelike, Days, TimeDelta, Timelike, Utc, Weekday};

use super::details::{Attendee, Details, FreeBusyType, InvitationResponse, Person, Sensitivity};
use super::event::{Copy, Event, ItemContent};
use super::folder::MailboxFolder;
use super::ids::ItemLocator;
use super::mailbox::{BookingPolicy, MailboxKind};
use super::meeting::{attendee_copy, mark_cancelled};
use super::pattern::RecurrencePattern;
use super::place::PlaceSpec;
use super::series::{RecurrenceRange, Series};
use super::world::World;

/// Default age of an event at its start.
const CREATED_BEFORE: TimeDelta = TimeDelta::days(7);

/// A room or a piece of equipment to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSpec {
    /// Display name.
    pub name: String,
    /// Primary address.
    pub address: String,
    /// How its booking attendant processes invitations.
    pub booking: BookingPolicy,
    /// Whether declined meetings stay in its calendar (`PreserveDeclinedMeetings`).
    pub preserve_declined: bool,
    /// Proxy addresses.
    pub proxies: Vec<String>,
    /// Hidden from the address lists.
    pub is_hidden: bool,
    /// What `Set-Place` has set.
    pub place: PlaceSpec,
}

impl RoomSpec {
    /// A room with Exchange's default booking attendant.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: address.into(),
            booking: BookingPolicy::default(),
            preserve_declined: false,
            proxies: Vec::new(),
            is_hidden: false,
            place: PlaceSpec::default(),
        }
    }
}

/// Which properties mark a cancelled meeting: `IsCancelled`, and the cancelled bit of `AppointmentState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CancelledMark {
    /// Both.
    #[default]
    Both,
    /// `IsCancelled` alone.
    IsCancelled,
    /// `AppointmentState` alone.
    AppointmentState,
}

/// A meeting to add: the organizer's copy, if the organizer has a mailbox, and a copy for each attendee with a mailbox.
/// An organizer without a mailbox has left or is external.
#[derive(Debug, Clone, PartialEq)]
pub struct MeetingSpec {
    /// The organizer; a room's address for a meeting booked at its door display. An empty address means no organizer, as
    /// in imported events: such a meeting cannot be responded to.
    pub organizer: Person,
    /// Addresses of booked rooms and equipment; they have accepted.
    pub rooms: Vec<String>,
    /// Other attendees.
    pub attendees: Vec<Person>,
    /// Start; for a series that of its first occurrence.
    pub start: DateTime<Utc>,
    /// End.
    pub end: DateTime<Utc>,
    /// Subject, as the organizer wrote it.
    pub subject: String,
    /// Body, as the organizer wrote it.
    pub body: String,
    /// Recurrence.
    pub series: Option<Series>,
    /// All-day event.
    pub all_day: bool,
    /// Marked private.
    pub private: bool,
    /// Free/busy status; `None` for Outlook's default: Free for all-day events, else Busy.
    pub busy: Option<FreeBusyType>,
    /// Cancelled, but still in all calendars except the organizer's.
    pub cancelled: bool,
    /// Which properties mark the cancellation.
    pub cancelled_mark: CancelledMark,
    /// Creation time; by default a week before the start.
    pub created: Option<DateTime<Utc>>,
    /// Last modification; by default the creation time.
    pub modified: Option<DateTime<Utc>>,
}

impl MeetingSpec {
    /// A meeting of `organizer`; set the rest with struct update syntax.
    pub fn new(organizer: Person, start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self {
            organizer,
            rooms: Vec::new(),
            attendees: Vec::new(),
            start,
            end,
            subject: "Meeting".to_owned(),
            body: String::new(),
            series: None,
            all_day: false,
            private: false,
            busy: None,
            cancelled: false,
            cancelled_mark: CancelledMark::default(),
            created: None,
            modified: None,
        }
    }
}

/// An appointment without attendees, in one calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainSpec {
    /// The mailbox's address.
    pub mailbox: String,
    /// Start.
    pub start: DateTime<Utc>,
    /// End.
    pub end: DateTime<Utc>,
    /// Subject.
    pub subject: String,
    /// Recurrence.
    pub series: Option<Series>,
    /// All-day event.
    pub all_day: bool,
    /// Free/busy status; `None` for Outlook's default: Free for all-day events, else Busy.
    pub busy: Option<FreeBusyType>,
    /// Creation time; by default a week before the start.
    pub created: Option<DateTime<Utc>>,
}

impl PlainSpec {
    /// A busy time in a calendar; set the rest with struct update syntax.
    pub fn new(mailbox: impl Into<String>, start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self {
            mailbox: mailbox.into(),
            start,
            end,
            subject: "Busy".to_owned(),
            series: None,
            all_day: false,
            busy: None,
            created: None,
        }
    }
}

impl World {
    /// Adds a person.
    pub fn add_user(&mut self, person: &Person) -> &mut Self {
        self.add_mailbox(&person.name, &person.address, MailboxKind::User, BookingPolicy::default());
        self
    }

    /// Adds a room.
    pub fn add_room(&mut self, room: RoomSpec) -> &mut Self {
        self.add_resource(room, MailboxKind::Room)
    }

    /// Adds a piece of equipment.
    pub fn add_equipment(&mut self, equipment: RoomSpec) -> &mut Self {
        self.add_resource(equipment, MailboxKind::Equipment)
    }

    fn add_resource(&mut self, spec: RoomSpec, kind: MailboxKind) -> &mut Self {
        let number = self.add_mailbox(&spec.name, &spec.address, kind, spec.booking);
        if let Some(mailbox) = self.mailboxes.get_mut(&number) {
            mailbox.preserve_declined = spec.preserve_declined;
            mailbox.entry.place = spec.place;
        }
        for proxy in &spec.proxies {
            self.add_proxy_address(&spec.address, proxy);
        }
        match spec.is_hidden {
            true => self.hide_from_address_lists(&spec.address),
            false => self,
        }
    }

    /// Adds a meeting, and returns its UID.
    pub fn add_meeting(&mut self, spec: MeetingSpec) -> String {
        let event = self.meeting_event(&spec);
        let organizer = event.organizer.clone();
        let people =
            event.details.attendees().map(|attendee| attendee.person.address.clone()).collect::<Vec<_>>();
        let written = self.as_of(spec.created.unwrap_or(spec.start - CREATED_BEFORE), |world| {
            let own = (!spec.cancelled).then(|| world.store(&organizer.address, event.clone())).flatten();
            let others = people.iter().filter(|address| **address != organizer.address);
            let theirs = others.filter_map(|address| world.store_attendee_copy(address, &event, &spec));
            theirs.collect::<Vec<_>>().into_iter().chain(own).collect::<Vec<_>>()
        });
        if let Some(modified) = spec.modified {
            self.as_of(modified, |world| {
                for at in written {
                    world.change_event(at, |_, _| ());
                }
            });
        }
        event.uid
    }

    /// Adds an appointment without attendees, and returns its UID.
    pub fn add_plain(&mut self, spec: PlainSpec) -> String {
        let mut details = Details::between(spec.start, spec.end);
        details.subject = spec.subject;
        details.all_day = spec.all_day;
        details.busy = spec.busy.unwrap_or_else(|| as_outlook_makes(spec.all_day));
        let organizer = self.person(&spec.mailbox);
        let uid = self.next_uid();
        let event = new_event(uid.clone(), Copy::Plain, organizer, details, spec.series);
        self.as_of(spec.created.unwrap_or(spec.start - CREATED_BEFORE), |world| {
            world.store(&spec.mailbox, event);
        });
        uid
    }

    fn meeting_event(&mut self, spec: &MeetingSpec) -> Event {
        let mut details = Details::between(spec.start, spec.end);
        details.subject.clone_from(&spec.subject);
        details.body.clone_from(&spec.body);
        details.all_day = spec.all_day;
        details.busy = spec.busy.unwrap_or_else(|| as_outlook_makes(spec.all_day));
        details.sensitivity = if spec.private { Sensitivity::Private } else { Sensitivity::Normal };
        details.required = spec.attendees.iter().cloned().map(Attendee::invited).collect();
        details.resources = spec.rooms.iter().map(|room| accepted(self.person(room))).collect();
        details.location =
            details.resources.iter().map(|room| room.person.name.as_str()).collect::<Vec<_>>().join("; ");
        let uid = self.next_uid();
        let mut event = new_event(uid, Copy::Organizer, spec.organizer.clone(), details, spec.series.clone());
        event.sent = true;
        event
    }

    fn store_attendee_copy(
        &mut self,
        address: &str,
        event: &Event,
        spec: &MeetingSpec,
    ) -> Option<ItemLocator> {
        let mailbox = self.mailbox(address)?;
        let mut mine = attendee_copy(event, mailbox);
        if mailbox.kind != MailboxKind::User {
            mine.details.my_response = InvitationResponse::Accept;
        }
        if spec.cancelled {
            mark_cancelled(&mut mine.details);
            mine.details.busy = spec.busy.unwrap_or(mine.details.busy);
            mine.details.cancelled = spec.cancelled_mark != CancelledMark::AppointmentState;
            mine.details.cancelled_state = Some(spec.cancelled_mark != CancelledMark::IsCancelled);
        }
        self.store(address, mine)
    }

    fn store(&mut self, address: &str, event: Event) -> Option<ItemLocator> {
        let number = self.mailbox(address)?.number;
        self.insert_item(number, MailboxFolder::Calendar, ItemContent::Event(Box::new(event)))
    }

    fn as_of<R>(&mut self, then: DateTime<Utc>, what: impl FnOnce(&mut Self) -> R) -> R {
        let now = std::mem::replace(&mut self.now, then);
        let made = what(self);
        self.now = now;
        made
    }
}

/// An event as created, without later changes.
pub(crate) fn new_event(
    uid: String,
    copy: Copy,
    organizer: Person,
    details: Details,
    series: Option<Series>,
) -> Event {
    let zone = "UTC".to_owned();
    Event {
        uid,
        copy,
        organizer,
        zone,
        sequence: 0,
        sent: false,
        details,
        series,
        touched: Default::default(),
    }
}

/// Outlook's default free/busy status.
fn as_outlook_makes(all_day: bool) -> FreeBusyType {
    if all_day { FreeBusyType::Free } else { FreeBusyType::Busy }
}

fn accepted(person: Person) -> Attendee {
    Attendee { response: InvitationResponse::Accept, ..Attendee::invited(person) }
}

/// A demo office at `now`: six rooms on two floors, a projector, five people, and an example of every situation in a
/// room calendar. Each event is placed relative to `now`, so that at any time of day Aurora has a meeting that started twenty
/// minutes ago, and no other event in this room overlaps it.
///
/// | room | situation |
/// | --- | --- |
/// | Aurora | a meeting now, the next one right after; a workday stand-up with one date moved |
/// | Borealis | two meetings at the same time now |
/// | Cirrus | a cancelled leftover now; a weekly series whose organizer left |
/// | Delta | itself the organizer: a meeting made at the door |
/// | Ember | blocked by a plain event; a private meeting later |
/// | Fjord | free now; an all-day event the day after tomorrow |
pub fn demo_world(now: DateTime<Utc>) -> World {
    let mut world = World::new();
    world.set_now(now);
    let [ada, ben, cleo, dan, eve] = demo_people(&mut world);
    let gone = Person::new("Frank Former", "frank.former@example.com");
    let minutes = |from: i64, length: i64| span(now, from, length);

    let aurora = "room-aurora@example.com";
    let (start, end) = minutes(-20, 60);
    world.add_meeting(MeetingSpec {
        rooms: vec![aurora.into()],
        attendees: vec![ben.clone(), cleo.clone()],
        subject: "Quarterly figures".into(),
        body: "Bring last quarter's numbers.".into(),
        ..MeetingSpec::new(ada.clone(), start, end)
    });
    let (start, end) = minutes(40, 30);
    world.add_meeting(MeetingSpec {
        rooms: vec![aurora.into(), "beamer-1@example.com".into()],
        attendees: vec![Person::new("Guest", "guest@partner.example")],
        subject: "Partner call".into(),
        ..MeetingSpec::new(dan.clone(), start, end)
    });
    demo_standup(&mut world, now, &ben, aurora);

    let borealis = "room-borealis@example.com";
    for (organizer, subject, from) in [(&cleo, "Design review", -30), (&eve, "Interview", -10)] {
        let (start, end) = minutes(from, 90);
        let private = subject == "Interview";
        world.add_meeting(MeetingSpec {
            rooms: vec![borealis.into()],
            subject: subject.into(),
            private,
            ..MeetingSpec::new(organizer.clone(), start, end)
        });
    }

    let cirrus = "room-cirrus@example.com";
    let (start, end) = minutes(-15, 60);
    world.add_meeting(MeetingSpec {
        rooms: vec![cirrus.into()],
        cancelled: true,
        subject: "Called off".into(),
        ..MeetingSpec::new(ada.clone(), start, end)
    });
    let (start, end) = minutes(90, 60);
    let start = start - TimeDelta::weeks(8);
    world.add_meeting(MeetingSpec {
        rooms: vec![cirrus.into()],
        attendees: vec![cleo.clone()],
        subject: "Old weekly".into(),
        series: Some(Series::weekly_on(start, RecurrenceRange::NoEnd)),
        created: Some(start - TimeDelta::weeks(30)),
        ..MeetingSpec::new(gone, start, end - TimeDelta::weeks(8))
    });

    let delta = "room-delta@example.com";
    let (start, end) = minutes(-5, 45);
    let at_the_door = world.person(delta);
    world.add_meeting(MeetingSpec {
        attendees: vec![eve.clone()],
        subject: "Booked at the door".into(),
        created: Some(now - TimeDelta::minutes(5)),
        ..MeetingSpec::new(at_the_door, start, end)
    });

    let ember = "room-ember@example.com";
    let (start, end) = minutes(-60, 180);
    world.add_plain(PlainSpec { subject: "Carpet cleaning".into(), ..PlainSpec::new(ember, start, end) });
    let (start, end) = minutes(180, 30);
    world.add_meeting(MeetingSpec {
        rooms: vec![ember.into()],
        subject: "One to one".into(),
        private: true,
        ..MeetingSpec::new(dan, start, end)
    });

    // The next day may begin within minutes, and a booking of the room must not overlap this event.
    let day = midnight(now) + TimeDelta::days(2);
    world.add_plain(PlainSpec {
        subject: "Open day".into(),
        all_day: true,
        busy: Some(FreeBusyType::Busy),
        ..PlainSpec::new("room-fjord@example.com", day, day + TimeDelta::days(1))
    });
    world.outbox.clear();
    world
}

fn demo_people(world: &mut World) -> [Person; 5] {
    let people = [
        Person::new("Ada Albers", "ada.albers@example.com"),
        Person::new("Ben Brook", "ben.brook@example.com"),
        Person::new("Cleo Castell", "cleo.castell@example.com"),
        Person::new("Dan Dorn", "dan.dorn@example.com"),
        Person::new("Eve Ekholm", "eve.ekholm@example.com"),
    ];
    for name in ["Aurora", "Borealis", "Cirrus", "Delta", "Ember", "Fjord"] {
        world.add_room(RoomSpec::new(
            format!("Room {name}"),
            format!("room-{}@example.com", name.to_lowercase()),
        ));
    }
    world.add_equipment(RoomSpec::new("Projector 1", "beamer-1@example.com"));
    for person in &people {
        world.add_user(person);
    }
    let ground = ["room-aurora@example.com", "room-borealis@example.com", "room-cirrus@example.com"];
    let upper = ["room-delta@example.com", "room-ember@example.com", "room-fjord@example.com"];
    world.add_room_list("Ground floor", "rooms-ground@example.com", &ground);
    world.add_room_list("Upper floor", "rooms-upper@example.com", &upper);
    people
}

/// A stand-up on workdays, half a day away from the current time of day; the next one is moved by an hour.
fn demo_standup(world: &mut World, now: DateTime<Utc>, organizer: &Person, room: &str) {
    let (far, _) = span(now, 12 * 60, 15);
    let first = far - TimeDelta::weeks(3);
    let uid = world.add_meeting(MeetingSpec {
        rooms: vec![room.to_owned()],
        subject: "Stand-up".into(),
        series: Some(Series::every_workday(RecurrenceRange::Count(60))),
        ..MeetingSpec::new(organizer.clone(), first, first + TimeDelta::minutes(15))
    });
    let next = (0..7)
        .map(|day| far + TimeDelta::days(day))
        .find(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun));
    world.organizer_changes(&uid, next, |details| {
        details.start += TimeDelta::hours(1);
        details.end += TimeDelta::hours(1);
    });
}

/// `rooms` rooms with ten people each and two weeks of meetings around `now`: single events, a series, and occasionally
/// an appointment or an organizer who left. The same seed produces the same world.
pub fn large_world(now: DateTime<Utc>, rooms: usize, seed: u64) -> World {
    let mut world = World::new();
    world.set_now(now);
    let mut dice = SplitMix64::new(seed);
    let addresses: Vec<String> = (0..rooms).map(|room| format!("room-{room:05}@example.com")).collect();
    for (number, address) in addresses.iter().enumerate() {
        world.add_room(RoomSpec::new(format!("Room {number:05}"), address.clone()));
    }
    let people: Vec<Person> = (0..rooms.min(200) * 10 + 1)
        .map(|number| Person::new(format!("Person {number:05}"), format!("person-{number:05}@example.com")))
        .collect();
    for person in people.iter().skip(people.len() / 50) {
        world.add_user(person);
    }
    for room in &addresses {
        fill_room(&mut world, room, &people, now, &mut dice);
    }
    world
}

fn fill_room(world: &mut World, room: &str, people: &[Person], now: DateTime<Utc>, dice: &mut SplitMix64) {
    let monday = midnight(now)
        .checked_sub_days(Days::new(u64::from(now.weekday().num_days_from_monday()) + 7))
        .unwrap_or(now);
    for day in (0..14).filter(|day| day % 7 < 5) {
        let mut start = monday + TimeDelta::days(day) + TimeDelta::hours(7);
        while start.hour() < 17 {
            let length = TimeDelta::minutes(30 * (1 + dice.below(4)));
            if dice.below(3) > 0 {
                book(world, room, people, (start, start + length), dice);
            }
            start += length;
        }
    }
    let first = monday + TimeDelta::hours(6);
    let days = vec![Weekday::Mon, Weekday::Wed];
    let series = Some(Series::new(
        RecurrencePattern::Weekly { interval: 1, days, first_day: Weekday::Sun },
        RecurrenceRange::NoEnd,
    ));
    let organizer = people[dice.below(people.len() as i64) as usize].clone();
    let end = first + TimeDelta::minutes(30);
    world.add_meeting(MeetingSpec {
        rooms: vec![room.into()],
        series,
        ..MeetingSpec::new(organizer, first, end)
    });
}

fn book(
    world: &mut World,
    room: &str,
    people: &[Person],
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    dice: &mut SplitMix64,
) {
    if dice.below(20) == 0 {
        world.add_plain(PlainSpec::new(room, start, end));
        return;
    }
    let mut pick = || people[dice.below(people.len() as i64) as usize].clone();
    let (organizer, guest) = (pick(), pick());
    world.add_meeting(MeetingSpec {
        rooms: vec![room.to_owned()],
        attendees: vec![guest],
        subject: "Meeting".to_owned(),
        ..MeetingSpec::new(organizer, start, end)
    });
}

fn span(now: DateTime<Utc>, from_minutes: i64, length_minutes: i64) -> (DateTime<Utc>, DateTime<Utc>) {
    let start = now.with_second(0).and_then(|now| now.with_nanosecond(0)).unwrap_or(now);
    let start = start + TimeDelta::minutes(from_minutes);
    (start, start + TimeDelta::minutes(length_minutes))
}

fn midnight(now: DateTime<Utc>) -> DateTime<Utc> {
    now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc()
}

/// SplitMix64: a small seeded generator, the same on every platform.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit - 1`.
    pub(crate) fn below(&mut self, limit: i64) -> i64 {
        (self.next_u64() >> 1) as i64 % limit.max(1)
    }
}
