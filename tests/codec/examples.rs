//! Example requests of every kind with every option, for the tests and for CI's check against Microsoft's schemas. Never sends anything;
//! all names and ids are invented.

use adjourn::ews::encode_into;
use adjourn::ews::op::*;
use adjourn::ews::soap::{Impersonate, RequestHeaders, ServerVersion};
use chrono::{DateTime, TimeDelta, Utc};

/// Text with markup, entities, the end of a CDATA section, quotes, all line ends, characters that XML forbids, and non-ASCII characters.
pub const HOSTILE_TEXT: &str = "</t:Body>&amp;<!--]]>\"'\r\n\t\0\u{1}\u{B}\u{1F}\u{7F}\u{85}\u{FFFE}\u{FFFF}\u{FFFD}\u{FF5E}\
                           \u{2028}\u{202E}e\u{301}\u{1F6AA}\u{10FFFF} ";

const ROOM: &str = "room.1@example.com";
const ITEM: ItemRef<'static> = ItemRef { id: "AAMkADexample+/=", change_key: Some("DwAAABYAexample+/==") };
const UNVERSIONED: ItemRef<'static> = ItemRef { id: "AAMkADother=", change_key: None };
const HOSTILE_ITEM: ItemRef<'static> = ItemRef { id: HOSTILE_TEXT, change_key: Some(HOSTILE_TEXT) };

/// File stem and bytes of requests that are valid in Microsoft's schemas of Exchange 2013 SP1 and of every later version.
pub fn examples() -> Vec<(String, Vec<u8>)> {
    let mut all = Examples::for_version(ServerVersion::Exchange2013Sp1);
    every_request(&mut all);
    every_impersonation(&mut all);
    all.done
}

/// File stem and bytes of the same requests in every supported version. Kept apart because a schema may fix the version: that of
/// Exchange 2013 SP1 allows no other `RequestServerVersion`; that of Exchange SE allows all of them.
pub fn examples_in_every_version() -> Vec<(String, Vec<u8>)> {
    ServerVersion::ALL.into_iter().flat_map(in_version).collect()
}

fn in_version(version: ServerVersion) -> impl Iterator<Item = (String, Vec<u8>)> {
    let mut all = Examples::for_version(version);
    every_request(&mut all);
    all.done.into_iter().map(move |(stem, bytes)| (format!("{stem}-{}", version.as_str()), bytes))
}

/// The examples so far, and the headers of the next one.
struct Examples {
    headers: RequestHeaders<'static>,
    done: Vec<(String, Vec<u8>)>,
}

impl Examples {
    fn for_version(version: ServerVersion) -> Self {
        let headers = RequestHeaders { version, impersonate: Some(Impersonate::SmtpAddress(ROOM)) };
        Self { headers, done: Vec::new() }
    }

    /// Adds a request, named after the operation and its variant.
    fn add<O: Operation>(&mut self, variant: &str, op: &O) {
        let mut bytes = Vec::new();
        encode_into(op, &self.headers, &mut bytes);
        self.done.push((format!("{}-{variant}", O::NAME), bytes));
    }
}

fn every_request(all: &mut Examples) {
    find_item(all);
    get_item(all);
    update_item(all);
    delete_item(all);
    responses(all);
    calendar_items(all);
    move_item(all);
    get_folder(all);
    get_user_availability(all);
    changes(all);
    directory(all);
}

fn every_impersonation(all: &mut Examples) {
    let ways = [
        ("impersonation-none", None),
        ("impersonation-PrincipalName", Some(Impersonate::PrincipalName("room.1@corp.example.com"))),
        ("impersonation-PrimarySmtpAddress", Some(Impersonate::PrimarySmtpAddress(ROOM))),
        ("impersonation-SmtpAddress", Some(Impersonate::SmtpAddress(ROOM))),
        ("impersonation-PrincipalName-hostile", Some(Impersonate::PrincipalName(HOSTILE_TEXT))),
        ("impersonation-PrimarySmtpAddress-hostile", Some(Impersonate::PrimarySmtpAddress(HOSTILE_TEXT))),
        ("impersonation-SmtpAddress-hostile", Some(Impersonate::SmtpAddress(HOSTILE_TEXT))),
    ];
    for (name, impersonate) in ways {
        all.headers.impersonate = impersonate;
        all.add(
            name,
            &GetFolder { folder: FolderId::Own(DistinguishedFolder::Calendar), effective_rights: false },
        );
    }
}

fn folders() -> [(&'static str, FolderId<'static>); 5] {
    [
        ("calendar", FolderId::Own(DistinguishedFolder::Calendar)),
        ("deleteditems", FolderId::Own(DistinguishedFolder::DeletedItems)),
        ("sentitems", FolderId::Own(DistinguishedFolder::SentItems)),
        ("calendar-of", FolderId::InMailbox(DistinguishedFolder::Calendar, "room1@example.com")),
        ("calendar-of-hostile", FolderId::InMailbox(DistinguishedFolder::Calendar, HOSTILE_TEXT)),
    ]
}

/// 2024-02-29T09:40:00Z: a leap day.
fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_709_199_600)
}

/// Half an hour and a fraction of a second later.
fn end() -> DateTime<Utc> {
    start() + TimeDelta::minutes(30) + TimeDelta::milliseconds(999)
}

fn find_item(all: &mut Examples) {
    let request = FindItem {
        folder: FolderId::Own(DistinguishedFolder::Calendar),
        start: start(),
        end: end(),
        max_entries: 500,
        properties: Property::EVENT,
    };
    for (name, folder) in folders() {
        all.add(name, &FindItem { folder, ..request.clone() });
    }
    let list = ListItems {
        folder: FolderId::Own(DistinguishedFolder::DeletedItems),
        offset: 200,
        max_entries: 100,
        properties: Property::EVENT,
    };
    for (name, folder) in folders() {
        all.add(&format!("list-{name}"), &ListItems { folder, ..list.clone() });
    }
    all.add("list-messages", &ListItems { properties: Property::MESSAGE, ..list });
    all.add("ids-only", &FindItem { properties: &[], max_entries: 1, ..request.clone() });
    all.add("is-organizer-only", &FindItem { properties: &[Property::IsOrganizer], ..request.clone() });
    let (start, end) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    all.add("extremes", &FindItem { start, end, max_entries: u32::MAX, ..request });
}

fn get_item(all: &mut Examples) {
    all.add("one", &GetItem { items: &[ITEM], properties: Property::EVENT });
    all.add("master", &GetItem { items: &[ITEM], properties: Property::SERIES });
    all.add("series", &GetRecurringMaster { occurrence: ITEM, properties: Property::SERIES });
    all.add("series-unversioned", &GetRecurringMaster { occurrence: UNVERSIONED, properties: &[] });
    all.add("several", &GetItem { items: &[ITEM, UNVERSIONED, HOSTILE_ITEM], properties: &[] });
}

fn update_item(all: &mut Examples) {
    let request = UpdateItem { item: ITEM, end: end(), send: SendUpdates::ToNone };
    all.add("hostile", &UpdateItem { item: HOSTILE_ITEM, ..request.clone() });
    all.add("no-change-key", &UpdateItem { item: UNVERSIONED, ..request.clone() });
    for send in SendUpdates::ALL {
        all.add(send.as_str(), &UpdateItem { send, ..request.clone() });
    }
}

fn delete_item(all: &mut Examples) {
    for delete_type in DeleteType::ALL {
        all.add(delete_type.as_str(), &DeleteItem { items: &[ITEM], delete_type });
    }
    let items = &[ITEM, UNVERSIONED, HOSTILE_ITEM];
    all.add("several-hostile", &DeleteItem { items, delete_type: DeleteType::SoftDelete });
}

fn responses(all: &mut Examples) {
    type MakeCreateItem = fn(ResponseObject<'static>) -> CreateItem<'static>;
    let kinds: [(&str, MakeCreateItem); 2] =
        [("decline", CreateItem::Decline), ("cancel", CreateItem::Cancel)];
    let response = ResponseObject { item: ITEM, text: Some("Nobody came."), saved_in: None };
    for (kind, create) in kinds {
        all.add(kind, &create(response.clone()));
        let saved_in = Some(FolderId::InMailbox(DistinguishedFolder::SentItems, ROOM));
        all.add(&format!("{kind}-saved-in"), &create(ResponseObject { saved_in, ..response.clone() }));
        all.add(&format!("{kind}-silent"), &create(ResponseObject { text: None, ..response.clone() }));
        let hostile = ResponseObject { item: HOSTILE_ITEM, text: Some(HOSTILE_TEXT), ..response.clone() };
        all.add(&format!("{kind}-hostile"), &create(hostile));
    }
}

fn calendar_items(all: &mut Examples) {
    let item = NewCalendarItem {
        calendar: FolderId::Own(DistinguishedFolder::Calendar),
        subject: "Ad-hoc booking",
        uid: "adjourn-4b1d",
        start: start(),
        end: end(),
    };
    all.add("calendar-item", &CreateItem::CalendarItem(item.clone()));
    all.add("calendar-item-bare", &CreateItem::CalendarItem(NewCalendarItem { subject: "", ..item.clone() }));
    let of = NewCalendarItem {
        calendar: FolderId::InMailbox(DistinguishedFolder::Calendar, ROOM),
        ..item.clone()
    };
    all.add("calendar-item-of", &CreateItem::CalendarItem(of));
    let hostile = NewCalendarItem { subject: HOSTILE_TEXT, uid: HOSTILE_TEXT, ..item };
    all.add("calendar-item-hostile", &CreateItem::CalendarItem(hostile));
}

fn move_item(all: &mut Examples) {
    for (name, to) in folders() {
        all.add(name, &MoveItem { items: &[ITEM], to });
    }
    all.add(
        "several",
        &MoveItem {
            items: &[ITEM, UNVERSIONED, HOSTILE_ITEM],
            to: FolderId::Own(DistinguishedFolder::Calendar),
        },
    );
}

fn get_folder(all: &mut Examples) {
    for (name, folder) in folders() {
        all.add(name, &GetFolder { folder, effective_rights: true });
    }
}

fn get_user_availability(all: &mut Examples) {
    let request =
        GetUserAvailability { mailboxes: &[ROOM], start: start(), end: end(), interval_minutes: 15 };
    all.add("one", &request);
    let mailboxes = &[ROOM, "room.2@example.com", HOSTILE_TEXT];
    all.add("several-hostile", &GetUserAvailability { mailboxes, interval_minutes: u32::MAX, ..request });
}

fn changes(all: &mut Examples) {
    for (name, folder) in folders() {
        all.add(name, &Subscribe { folder });
        let sync = SyncFolderItems { folder, sync_state: None, max_changes: CHANGES_MAX };
        all.add(&format!("{name}-first"), &sync);
        all.add(&format!("{name}-next"), &SyncFolderItems { sync_state: Some("H4sIAAA="), ..sync });
    }
    all.add("hostile", &Unsubscribe { subscription_id: HOSTILE_TEXT });
    let ids = ["HwBleGFtcGxl".to_owned(), HOSTILE_TEXT.to_owned()];
    let longest = CONNECTION_MINUTES_MAX;
    all.add("several", &GetStreamingEvents { subscription_ids: &ids, connection_minutes: longest });
}

fn directory(all: &mut Examples) {
    all.add("all", &GetRoomLists);
    all.add("one", &GetRooms { room_list: "rooms@example.com" });
    all.add("hostile", &GetRooms { room_list: HOSTILE_TEXT });
    let resolve = ResolveNames { unresolved_entry: "smtp:ann@example.com", full_contact_data: false };
    all.add("address", &resolve);
    all.add("contact-data", &ResolveNames { full_contact_data: true, ..resolve.clone() });
    all.add("hostile", &ResolveNames { unresolved_entry: HOSTILE_TEXT, ..resolve });
}
