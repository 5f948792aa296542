//! The simulator as a calendar client uses it, over raw requests: restrictions, sort orders and pages, setting and
//! clearing properties, series, ids, invitations, time zones, and error codes.

use adjourn::sim::{MailKind, RoomSpec, Simulator, SimulatorOptions, World};
use adjourn_test::{AURORA, ada, meeting, simulator, simulator_with, world};

use crate::raw_requests::{basic, envelope, post};

const ADA: &str = "ada@example.com";
const BO: &str = "bo@example.com";

async fn ask(sim: &Simulator, mailbox: &str, request: &str) -> String {
    post(sim, &basic(), &envelope(mailbox, request)).await.1
}

/// The first `Id="…" ChangeKey="…"` of a response.
fn id_of(answer: &str) -> String {
    let element =
        ["<t:ItemId ", "<t:AssociatedCalendarItemId "].iter().find_map(|open| answer.split(open).nth(1));
    element.unwrap_or_else(|| panic!("no id in {answer}")).split("/>").next().unwrap().to_owned()
}

fn without_key(id: &str) -> String {
    id.split(" ChangeKey").next().unwrap().to_owned()
}

async fn create(sim: &Simulator, mailbox: &str, send: &str, properties: &str) -> String {
    ask(
        sim,
        mailbox,
        &format!(
            r#"<m:CreateItem SendMeetingInvitations="{send}"><m:Items><t:CalendarItem>{properties}</t:CalendarItem></m:Items></m:CreateItem>"#
        ),
    )
    .await
}

fn find(inside: &str) -> String {
    format!(
        r#"<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>{inside}<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>"#
    )
}

/// The contents of all elements with this name.
fn all(answer: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<t:{name}>"), format!("</t:{name}>"));
    answer.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap().to_owned()).collect()
}

fn code(answer: &str) -> String {
    let rest = answer.split("ResponseCode").nth(1).unwrap_or_default();
    rest.split('>').nth(1).unwrap_or_default().split('<').next().unwrap().to_owned()
}

async fn get(sim: &Simulator, mailbox: &str, id: &str, shape: &str) -> String {
    ask(
        sim,
        mailbox,
        &format!(r#"<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds>{id}</m:ItemIds></m:GetItem>"#),
    )
    .await
}

const EVERYTHING: &str = "<t:BaseShape>AllProperties</t:BaseShape>";

async fn update(sim: &Simulator, mailbox: &str, id: &str, changes: &str) -> String {
    ask(
        sim,
        mailbox,
        &format!(
            r#"<m:UpdateItem ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange><t:ItemId {id}/><t:Updates>{changes}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"#
        ),
    )
    .await
}

fn set(path: &str, element: &str) -> String {
    format!("<t:SetItemField>{path}<t:CalendarItem>{element}</t:CalendarItem></t:SetItemField>")
}

fn field(uri: &str) -> String {
    format!(r#"<t:FieldURI FieldURI="{uri}"/>"#)
}

/// Three events of one morning: red at nine, green at ten, blue at eleven with a location.
async fn three() -> Simulator {
    let sim = simulator(world()).await;
    for (subject, hour, more) in [
        ("red", 9, ""),
        ("Green", 10, "<t:LegacyFreeBusyStatus>Free</t:LegacyFreeBusyStatus>"),
        ("blue", 11, "<t:Location>Aurora</t:Location>"),
    ] {
        let extended = format!(
            r#"<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x6900" PropertyType="Integer"/><t:Value>{hour}</t:Value></t:ExtendedProperty>"#
        );
        let properties = format!(
            "<t:Subject>{subject}</t:Subject>{extended}<t:Start>2026-05-04T{hour:02}:00:00Z</t:Start><t:End>2026-05-04T{:02}:00:00Z</t:End>{more}",
            hour + 1
        );
        assert_eq!(code(&create(&sim, AURORA, "SendToNone", &properties).await), "NoError");
    }
    sim
}

#[tokio::test]
async fn restrictions_leave_the_rows_that_they_name() {
    let sim = three().await;
    let compare = |operator: &str, uri: &str, value: &str| {
        format!(
            r#"<t:{operator}>{}<t:FieldURIOrConstant><t:Constant Value="{value}"/></t:FieldURIOrConstant></t:{operator}>"#,
            field(uri)
        )
    };
    let contains = |mode: &str, how: &str, value: &str| {
        format!(
            r#"<t:Contains ContainmentMode="{mode}" ContainmentComparison="{how}">{}<t:Constant Value="{value}"/></t:Contains>"#,
            field("item:Subject")
        )
    };
    let tag = r#"<t:ExtendedFieldURI PropertyTag="0x6900" PropertyType="Integer"/>"#;
    let excludes = |mask: &str| format!(r#"<t:Excludes>{tag}<t:Bitmask Value="{mask}"/></t:Excludes>"#);
    let ten = "2026-05-04T10:00:00Z";
    let rows = [
        (compare("IsEqualTo", "item:Subject", "red"), "red"),
        (compare("IsNotEqualTo", "item:Subject", "red"), "Green blue"),
        (compare("IsGreaterThan", "calendar:Start", ten), "blue"),
        (compare("IsGreaterThanOrEqualTo", "calendar:Start", ten), "Green blue"),
        (compare("IsLessThan", "calendar:Start", ten), "red"),
        (compare("IsLessThanOrEqualTo", "calendar:Start", "2026-05-04T12:00:00+02:00"), "red Green"),
        (compare("IsEqualTo", "calendar:LegacyFreeBusyStatus", "Free"), "Green"),
        (compare("IsLessThan", "calendar:LegacyFreeBusyStatus", "Busy"), "Green"),
        (compare("IsEqualTo", "calendar:IsAllDayEvent", "false"), "red Green blue"),
        (contains("Substring", "Exact", "re"), "red Green"),
        (contains("Substring", "IgnoreCase", "GREEN"), "Green"),
        (contains("Prefixed", "Exact", "gre"), ""),
        (contains("FullString", "IgnoreCase", "green"), "Green"),
        (format!("<t:Exists>{}</t:Exists>", field("calendar:Location")), "blue"),
        (format!("<t:Not><t:Exists>{}</t:Exists></t:Not>", field("calendar:Location")), "red Green"),
        (excludes("0x1"), "Green"),
        (excludes("8"), ""),
        (excludes("4"), "red Green blue"),
        (format!("<t:Exists>{tag}</t:Exists>"), "red Green blue"),
        (
            format!(
                r#"<t:IsGreaterThan>{tag}<t:FieldURIOrConstant><t:Constant Value="9"/></t:FieldURIOrConstant></t:IsGreaterThan>"#
            ),
            "Green blue",
        ),
        (
            format!(
                "<t:IsEqualTo>{}<t:FieldURIOrConstant>{}</t:FieldURIOrConstant></t:IsEqualTo>",
                field("item:Subject"),
                field("calendar:Location")
            ),
            "",
        ),
        (
            format!(
                "<t:IsLessThan>{}<t:FieldURIOrConstant>{}</t:FieldURIOrConstant></t:IsLessThan>",
                field("calendar:Start"),
                field("calendar:End")
            ),
            "red Green blue",
        ),
        (
            format!(
                "<t:Or>{}<t:And>{}{}</t:And></t:Or>",
                compare("IsEqualTo", "item:Subject", "red"),
                contains("Substring", "Exact", "l"),
                compare("IsGreaterThan", "calendar:Start", ten)
            ),
            "red blue",
        ),
    ];
    for (expression, expected) in rows {
        let request = find(&format!("<m:Restriction>{expression}</m:Restriction>"));
        let answer = ask(&sim, AURORA, &request).await;
        assert_eq!(code(&answer), "NoError", "{expression}: {answer}");
        assert_eq!(all(&answer, "Subject").join(" "), expected, "{expression}");
    }
}

#[tokio::test]
async fn restrictions_that_say_nothing_are_refused() {
    let sim = three().await;
    let constant = r#"<t:FieldURIOrConstant><t:Constant Value="x"/></t:FieldURIOrConstant>"#;
    let equal = |uri: &str| format!("<t:IsEqualTo>{}{constant}</t:IsEqualTo>", field(uri));
    let rows = [
        (equal("calendar:UID"), "ErrorUnsupportedPathForQuery"),
        (equal("calendar:Recurrence"), "ErrorUnsupportedPathForQuery"),
        (equal("item:Preview"), "ErrorUnsupportedPathForQuery"),
        (equal("calendar:Start"), "ErrorInvalidValueForProperty"),
        (equal("calendar:IsAllDayEvent"), "ErrorInvalidValueForProperty"),
        (equal("calendar:Nothing"), "ErrorSchemaValidation"),
        (
            format!(r#"<t:Contains>{}<t:Constant Value="x"/></t:Contains>"#, field("calendar:Start")),
            "ErrorContainsFilterWrongType",
        ),
        (
            format!(r#"<t:Excludes>{}<t:Bitmask Value="1"/></t:Excludes>"#, field("item:Subject")),
            "ErrorInvalidExcludesRestriction",
        ),
        ("<t:And/>".to_owned(), "ErrorSchemaValidation"),
        ("<t:Nor/>".to_owned(), "ErrorSchemaValidation"),
        (String::new(), "ErrorSchemaValidation"),
        (format!("<t:Or>{}</t:Or>", equal("item:Subject").repeat(1_001)), "ErrorRestrictionTooComplex"),
    ];
    for (expression, expected) in rows {
        let request = find(&format!("<m:Restriction>{expression}</m:Restriction>"));
        let answer = ask(&sim, AURORA, &request).await;
        assert_eq!(code(&answer), expected, "{expression}: {answer}");
    }
    let query = find("<m:QueryString>red</m:QueryString>");
    assert_eq!(code(&ask(&sim, AURORA, &query).await), "ErrorUnsupportedQueryFilter");
}

#[tokio::test]
async fn rows_come_in_the_order_and_on_the_page_that_are_wanted() {
    let sim = three().await;
    let order = |uri: &str, order: &str| {
        format!(r#"<m:SortOrder><t:FieldOrder Order="{order}">{}</t:FieldOrder></m:SortOrder>"#, field(uri))
    };
    let indexed = |offset: i32, max: i32, base: &str| {
        format!(r#"<m:IndexedPageItemView MaxEntriesReturned="{max}" Offset="{offset}" BasePoint="{base}"/>"#)
    };
    let fraction = |numerator: i32, denominator: i32| {
        format!(
            r#"<m:FractionalPageItemView MaxEntriesReturned="9" Numerator="{numerator}" Denominator="{denominator}"/>"#
        )
    };
    let (up, down) = (order("item:Subject", "Ascending"), order("item:Subject", "Descending"));
    let rows = [
        (up.clone(), "blue Green red"),
        (down, "red Green blue"),
        (order("calendar:Location", "Ascending"), "red Green blue"),
        (order("calendar:Location", "Descending"), "blue red Green"),
        (indexed(0, 2, "Beginning") + &up, "blue Green"),
        (indexed(2, 2, "Beginning") + &up, "red"),
        (indexed(0, 2, "End") + &up, "Green red"),
        (indexed(2, 2, "End") + &up, "blue"),
        (fraction(1, 3) + &up, "Green red"),
        (fraction(0, 1) + &up, "blue Green red"),
    ];
    for (inside, expected) in rows {
        let answer = ask(&sim, AURORA, &find(&inside)).await;
        assert_eq!(all(&answer, "Subject").join(" "), expected, "{inside}: {answer}");
        assert!(answer.contains(r#"TotalItemsInView="3""#), "{answer}");
    }
    let first = ask(&sim, AURORA, &find(&indexed(0, 2, "Beginning"))).await;
    assert!(
        first.contains(r#"IndexedPagingOffset="2""#) && first.contains(r#"IncludesLastItemInRange="false""#)
    );
    for (inside, expected) in [
        (indexed(-1, 2, "Beginning"), "ErrorInvalidIndexedPagingParameters"),
        (indexed(0, 0, "Beginning"), "ErrorInvalidPagingMaxRows"),
        (fraction(2, 1), "ErrorInvalidFractionalPagingParameters"),
        (order("calendar:Recurrence", "Ascending"), "ErrorUnsupportedPathForSortGroup"),
        (order("item:Subject", "Sideways"), "ErrorSchemaValidation"),
    ] {
        assert_eq!(code(&ask(&sim, AURORA, &find(&inside)).await), expected, "{inside}");
    }
}

#[tokio::test]
async fn what_is_set_twice_cleared_or_none_of_its_kind_is_refused_with_a_code() {
    let sim = three().await;
    let id = id_of(&ask(&sim, AURORA, &find("")).await);
    let extended = |attributes: &str, value: &str| {
        set(
            &format!("<t:ExtendedFieldURI {attributes}/>"),
            &format!("<t:ExtendedProperty><t:ExtendedFieldURI {attributes}/>{value}</t:ExtendedProperty>"),
        )
    };
    let value = "<t:Value>x</t:Value>";
    let rows = [
        (
            set(&field("calendar:IsCancelled"), "<t:IsCancelled>true</t:IsCancelled>"),
            "ErrorInvalidPropertySet",
        ),
        (set(&field("item:Subject"), "<t:Location>x</t:Location>"), "ErrorUpdatePropertyMismatch"),
        (
            set(&field("item:Subject"), "<t:Subject>x</t:Subject><t:Location>y</t:Location>"),
            "ErrorIncorrectUpdatePropertyCount",
        ),
        (
            format!("<t:DeleteItemField>{}</t:DeleteItemField>", field("calendar:End")),
            "ErrorInvalidPropertyDelete",
        ),
        (set(&field("item:ItemClass"), "<t:ItemClass>IPM.Task</t:ItemClass>"), "ErrorObjectTypeChanged"),
        (
            set(&field("calendar:StartTimeZone"), r#"<t:StartTimeZone Id="Middle-earth Standard Time"/>"#),
            "ErrorCalendarInvalidTimeZone",
        ),
        (
            extended(r#"PropertyTag="0x6900" PropertyType="Integer""#, value),
            "ErrorInvalidExtendedPropertyValue",
        ),
        (
            extended(r#"PropertyTag="0x6900" PropertyType="Object""#, value),
            "ErrorUnsupportedMapiPropertyType",
        ),
        (extended(r#"PropertyTag="0x8001" PropertyType="String""#, value), "ErrorInvalidExtendedProperty"),
        (extended(r#"PropertyName="x" PropertyType="String""#, value), "ErrorInvalidExtendedProperty"),
        (
            format!(
                "<t:AppendToItemField>{}<t:CalendarItem><t:Subject>x</t:Subject></t:CalendarItem></t:AppendToItemField>",
                field("item:Subject")
            ),
            "ErrorInvalidPropertyAppend",
        ),
        (
            set(&field("calendar:End"), "<t:End>2026-05-04T08:00:00Z</t:End>"),
            "ErrorCalendarEndDateIsEarlierThanStartDate",
        ),
        (
            set(&field("calendar:End"), "<t:End>2036-05-04T08:00:00Z</t:End>"),
            "ErrorCalendarDurationIsTooLong",
        ),
    ];
    for (changes, expected) in rows {
        let answer = update(&sim, AURORA, &id, &changes).await;
        assert_eq!(code(&answer), expected, "{changes}: {answer}");
    }
    assert_eq!(all(&get(&sim, AURORA, &format!("<t:ItemId {id}/>"), EVERYTHING).await, "Subject"), ["red"]);
}

#[tokio::test]
async fn items_that_are_no_calendars_and_children_out_of_order_are_not_created() {
    let sim = three().await;
    for kind in
        ["Message", "Contact", "Task", "PostItem", "DistributionList", "MeetingRequest", "ForwardItem"]
    {
        let request = format!(
            r#"<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:{kind}><t:Subject>x</t:Subject></t:{kind}></m:Items></m:CreateItem>"#
        );
        assert_eq!(
            code(&ask(&sim, AURORA, &request).await),
            "ErrorInvalidItemForOperationCreateItem",
            "{kind}"
        );
    }
    let elsewhere = r#"<m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId><t:DistinguishedFolderId Id="inbox"/></m:SavedItemFolderId><m:Items><t:CalendarItem><t:Subject>x</t:Subject></t:CalendarItem></m:Items></m:CreateItem>"#;
    assert_eq!(code(&ask(&sim, AURORA, elsewhere).await), "ErrorCannotCreateCalendarItemInNonCalendarFolder");
    let reversed = "<t:Location>x</t:Location><t:Subject>y</t:Subject>";
    assert_eq!(code(&create(&sim, AURORA, "SendToNone", reversed).await), "ErrorSchemaValidation");
    let push = r#"<m:Subscribe><m:PushSubscriptionRequest><t:FolderIds><t:DistinguishedFolderId Id="calendar"/></t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:StatusFrequency>1</t:StatusFrequency><t:URL>http://127.0.0.1:1/</t:URL></m:PushSubscriptionRequest></m:Subscribe>"#;
    assert_eq!(code(&ask(&sim, AURORA, push).await), "ErrorInvalidPushSubscriptionUrl");
    assert_eq!(sim.world(|world| world.outbox().len()), 0);
}

/// A daily series of four occurrences in Berlin, across the start of daylight saving time.
async fn series(sim: &Simulator) -> String {
    let recurrence = "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence><t:StartDate>2027-03-27</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>";
    let properties = format!(
        r#"<t:Subject>Daily</t:Subject><t:Start>2027-03-27T08:00:00Z</t:Start><t:End>2027-03-27T09:00:00Z</t:End>{recurrence}<t:StartTimeZone Id="W. Europe Standard Time"/>"#
    );
    let created = create(sim, AURORA, "SendToNone", &properties).await;
    assert_eq!(code(&created), "NoError", "{created}");
    id_of(&created)
}

#[tokio::test]
async fn dates_of_a_series_keep_their_hour_and_are_reached_by_number() {
    let sim = simulator(world()).await;
    let master = series(&sim).await;
    let view = find(r#"<m:CalendarView StartDate="2027-03-01T00:00:00Z" EndDate="2027-05-01T00:00:00Z"/>"#);
    let starts = all(&ask(&sim, AURORA, &view).await, "Start");
    let expected =
        ["2027-03-27T08:00:00Z", "2027-03-28T07:00:00Z", "2027-03-29T07:00:00Z", "2027-03-30T07:00:00Z"];
    assert_eq!(starts, expected);
    let occurrence = |index: i32| {
        let id = without_key(&master).replace("Id=", "RecurringMasterId=");
        format!(r#"<t:OccurrenceItemId {id} InstanceIndex="{index}"/>"#)
    };
    let second = get(&sim, AURORA, &occurrence(2), EVERYTHING).await;
    assert_eq!(all(&second, "Start"), ["2027-03-28T07:00:00Z"], "{second}");
    assert_eq!(all(&second, "StartWallClock"), ["2027-03-28T09:00:00+02:00"]);
    let delete = format!(
        r#"<m:DeleteItem DeleteType="HardDelete" SendMeetingCancellations="SendToNone"><m:ItemIds>{}</m:ItemIds></m:DeleteItem>"#,
        occurrence(2)
    );
    assert_eq!(code(&ask(&sim, AURORA, &delete).await), "NoError");
    for (index, expected) in [
        (2, "ErrorCalendarOccurrenceIsDeletedFromRecurrence"),
        (5, "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"),
        (0, "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"),
        (3, "NoError"),
    ] {
        assert_eq!(code(&get(&sim, AURORA, &occurrence(index), EVERYTHING).await), expected, "{index}");
    }
    let third = get(&sim, AURORA, &occurrence(3), EVERYTHING).await;
    let date = without_key(&id_of(&third)).replace("Id=", "OccurrenceId=");
    let back = get(&sim, AURORA, &format!("<t:RecurringMasterItemId {date}/>"), EVERYTHING).await;
    assert_eq!(all(&back, "CalendarItemType"), ["RecurringMaster"], "{back}");
    assert!(back.contains("<t:StartDate>2027-03-27+01:00</t:StartDate>"), "{back}");
    assert_eq!(all(&back, "DeletedOccurrence"), ["<t:Start>2027-03-28T07:00:00Z</t:Start>"]);
}

#[tokio::test]
async fn recurrences_that_cannot_be_are_refused() {
    let sim = simulator(world()).await;
    let daily = "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>";
    let open = "<t:NoEndRecurrence><t:StartDate>2027-03-27</t:StartDate></t:NoEndRecurrence>";
    let ended = "<t:EndDateRecurrence><t:StartDate>2027-03-27</t:StartDate><t:EndDate>2027-03-01</t:EndDate></t:EndDateRecurrence>";
    let rows = [
        (format!("{daily}{ended}"), "ErrorRecurrenceHasNoOccurrence"),
        (
            format!("<t:DailyRecurrence><t:Interval>0</t:Interval></t:DailyRecurrence>{open}"),
            "ErrorCalendarInvalidRecurrence",
        ),
        (
            format!(
                "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Doomsday</t:DaysOfWeek></t:WeeklyRecurrence>{open}"
            ),
            "ErrorCalendarInvalidRecurrence",
        ),
        (
            format!(
                "<t:AbsoluteYearlyRecurrence><t:DayOfMonth>32</t:DayOfMonth><t:Month>May</t:Month></t:AbsoluteYearlyRecurrence>{open}"
            ),
            "ErrorCalendarInvalidRecurrence",
        ),
        (
            format!("<t:DailyRegeneration><t:Interval>1</t:Interval></t:DailyRegeneration>{open}"),
            "ErrorUnsupportedRecurrence",
        ),
        (daily.to_owned(), "ErrorSchemaValidation"),
    ];
    for (recurrence, expected) in rows {
        let properties = format!(
            "<t:Start>2027-03-27T08:00:00Z</t:Start><t:End>2027-03-27T09:00:00Z</t:End><t:Recurrence>{recurrence}</t:Recurrence>"
        );
        assert_eq!(code(&create(&sim, AURORA, "SendToNone", &properties).await), expected, "{recurrence}");
    }
    let long = format!(
        "<t:Start>2027-03-27T08:00:00Z</t:Start><t:End>2027-03-29T09:00:00Z</t:End><t:Recurrence>{daily}{open}</t:Recurrence>"
    );
    assert_eq!(code(&create(&sim, AURORA, "SendToNone", &long).await), "ErrorOccurrenceTimeSpanTooBig");
}

#[tokio::test]
async fn ids_are_told_apart_by_what_is_wrong_with_them() {
    let mut office = world();
    office.add_meeting(meeting());
    let sim = simulator(office).await;
    let theirs = without_key(&id_of(&ask(&sim, ADA, &find("")).await));
    let id = id_of(&ask(&sim, AURORA, &find("")).await);
    let folder = ask(&sim, AURORA, r#"<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder>"#).await;
    let folder = folder.split("<t:FolderId ").nth(1).unwrap().split(" ChangeKey").next().unwrap().to_owned();
    let mine = without_key(&id);
    for (reference, expected) in [
        (r#"Id="AAMkAGarbage""#.to_owned(), "ErrorInvalidIdMalformed"),
        (r#"Id="""#.to_owned(), "ErrorInvalidIdEmpty"),
        (folder, "ErrorCannotUseFolderIdForItemId"),
        (theirs, "ErrorItemNotFound"),
        (format!(r#"{mine} ChangeKey="AAAA""#), "ErrorInvalidChangeKey"),
        (mine.clone(), "NoError"),
    ] {
        let answer = get(&sim, AURORA, &format!("<t:ItemId {reference}/>"), EVERYTHING).await;
        assert_eq!(code(&answer), expected, "{reference}");
    }
    let subject = set(&field("item:Subject"), "<t:Subject>x</t:Subject>");
    let unversioned = update(&sim, AURORA, &mine, &subject).await;
    assert_eq!(code(&unversioned), "ErrorChangeKeyRequiredForWriteOperations");
    let accept = |reference: &str| {
        format!(
            r#"<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:AcceptItem>{reference}</t:AcceptItem></m:Items></m:CreateItem>"#
        )
    };
    let none = ask(&sim, AURORA, &accept("")).await;
    assert_eq!(code(&none), "ErrorMissingInformationReferenceItemId");
    let unversioned = ask(&sim, AURORA, &accept(&format!("<t:ReferenceItemId {mine}/>"))).await;
    assert_eq!(code(&unversioned), "ErrorChangeKeyRequired");
    assert_eq!(code(&update(&sim, AURORA, &id, &subject).await), "NoError");
    let stale = ask(&sim, AURORA, &accept(&format!("<t:ReferenceItemId {id}/>"))).await;
    assert_eq!(code(&stale), "ErrorStaleObject");
}

/// Three people and a room whose bookings a person approves.
fn people() -> World {
    let mut world = world();
    let mut room = RoomSpec::new("Manual", "manual@example.com");
    room.booking.automatic = false;
    world.add_room(room);
    world
}

async fn inbox(sim: &Simulator, mailbox: &str) -> String {
    let request = find("").replace(r#"Id="calendar""#, r#"Id="inbox""#);
    ask(sim, mailbox, &request).await
}

fn attendees(addresses: &[&str]) -> String {
    let one = |address: &&str| {
        format!("<t:Attendee><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:Attendee>")
    };
    format!("<t:RequiredAttendees>{}</t:RequiredAttendees>", addresses.iter().map(one).collect::<String>())
}

#[tokio::test]
async fn an_invitation_is_answered_from_the_inbox_and_goes_away() {
    let sim = simulator(people()).await;
    let times = "<t:Start>2030-05-04T09:00:00Z</t:Start><t:End>2030-05-04T10:00:00Z</t:End>";
    let meeting =
        format!("<t:Subject>Plans</t:Subject>{times}{}", attendees(&[BO, "manual@example.com", AURORA]));
    let created = create(&sim, ADA, "SendToAllAndSaveCopy", &meeting).await;
    assert_eq!(code(&created), "NoError", "{created}");
    assert_eq!(inbox(&sim, AURORA).await.matches("<t:MeetingRequest>").count(), 0, "it answered by itself");
    assert_eq!(inbox(&sim, "manual@example.com").await.matches("<t:MeetingRequest>").count(), 1);
    let request = id_of(&inbox(&sim, BO).await);
    let shown = get(&sim, BO, &format!("<t:ItemId {request}/>"), EVERYTHING).await;
    assert_eq!(all(&shown, "Start"), ["2030-05-04T09:00:00Z"], "{shown}");
    assert!(shown.contains("<t:AssociatedCalendarItemId "), "{shown}");
    let answer = |kind: &str, request: &str| {
        format!(
            r#"<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:{kind}><t:ReferenceItemId {request}/></t:{kind}></m:Items></m:CreateItem>"#
        )
    };
    let wrong = ask(&sim, BO, &answer("RemoveItem", &request)).await;
    assert_eq!(code(&wrong), "ErrorInvalidItemForOperationRemoveItem");
    let accepted = ask(&sim, BO, &answer("TentativelyAcceptItem", &request)).await;
    assert_eq!(code(&accepted), "NoError", "{accepted}");
    assert!(accepted.contains("<t:MeetingResponse>") && accepted.contains("<t:CalendarItem>"), "{accepted}");
    assert!(!inbox(&sim, BO).await.contains("<t:MeetingRequest>"));
    let responses = inbox(&sim, ADA).await;
    let subjects = all(&responses, "Subject");
    assert!(subjects.contains(&"Tentative: Plans".to_owned()), "{subjects:?}");
    assert_eq!(responses.matches("<t:MeetingResponse>").count(), 2, "the room's and Bo's");
    let told = sim.outbox().into_iter().filter(|mail| mail.kind == MailKind::Tentative).count();
    assert_eq!(told, 1);
    let cancelled =
        ask(&sim, ADA, &answer("CancelCalendarItem", &id_of(&ask(&sim, ADA, &find("")).await))).await;
    assert_eq!(code(&cancelled), "NoError", "{cancelled}");
    let notice = inbox(&sim, BO).await;
    assert!(notice.contains("<t:MeetingCancellation>"), "{notice}");
    let removed = ask(&sim, BO, &answer("RemoveItem", &id_of(&notice))).await;
    assert_eq!(code(&removed), "NoError", "{removed}");
    assert!(all(&ask(&sim, BO, &find("")).await, "Subject").is_empty());
}

#[tokio::test]
async fn an_account_with_a_mailbox_acts_there_when_nobody_is_named() {
    let options = SimulatorOptions { username: ADA.to_owned(), ..SimulatorOptions::default() };
    let sim = simulator_with(world(), options.clone()).await;
    let login = format!("{}:{}", options.username, options.password);
    let login = format!("Basic {}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, login));
    let own = |body: &str| {
        let whole = envelope("nobody", body);
        let (before, rest) = whole.split_once("<t:ExchangeImpersonation>").unwrap();
        format!("{before}{}", rest.split_once("</t:ExchangeImpersonation>").unwrap().1)
    };
    let event = "<t:Start>2030-05-04T09:00:00Z</t:Start><t:End>2030-05-04T10:00:00Z</t:End>";
    let request = own(&format!(
        r#"<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem>{event}</t:CalendarItem></m:Items></m:CreateItem>"#
    ));
    let answer = post(&sim, &login, &request).await.1;
    assert_eq!(code(&answer), "NoError", "{answer}");
    let from = ada();
    let events = sim.world(|world| {
        world.events(
            &from.address,
            "2030-05-04T00:00:00Z".parse().unwrap(),
            "2030-05-05T00:00:00Z".parse().unwrap(),
        )
    });
    assert_eq!(events.len(), 1);
    let theirs = find("").replace(
        r#"<t:DistinguishedFolderId Id="calendar"/>"#,
        &format!(
            r#"<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{BO}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"#
        ),
    );
    assert_eq!(code(&post(&sim, &login, &own(&theirs)).await.1), "ErrorAccessDenied");
}

#[tokio::test]
async fn zones_and_ids_in_other_formats_are_what_the_schema_says() {
    let sim = three().await;
    let zones = ask(&sim, AURORA, r#"<m:GetServerTimeZones ReturnFullTimeZoneData="true"/>"#).await;
    assert!(zones.matches("<t:TimeZoneDefinition ").count() >= 139);
    assert!(
        zones.contains(r#"Id="W. Europe Standard Time""#) && zones.contains("<t:RecurringDayTransition>")
    );
    let one = ask(&sim, AURORA, r#"<m:GetServerTimeZones ReturnFullTimeZoneData="false"><m:Ids><t:Id>Nowhere</t:Id><t:Id>UTC</t:Id></m:Ids></m:GetServerTimeZones>"#).await;
    assert_eq!(one.matches("<t:TimeZoneDefinition ").count(), 1, "{one}");
    let id = without_key(&id_of(&ask(&sim, AURORA, &find("")).await));
    let convert = |from: &str, id: &str, to: &str| {
        format!(
            r#"<m:ConvertId DestinationFormat="{to}"><m:SourceIds><t:AlternateId Format="{from}" {id} Mailbox="{AURORA}"/></m:SourceIds></m:ConvertId>"#
        )
    };
    let written = |answer: &str| {
        let id =
            answer.split(" Id=\"").nth(1).unwrap_or_else(|| panic!("{answer}")).split('"').next().unwrap();
        format!(r#"Id="{id}""#)
    };
    for format in ["EntryId", "HexEntryId", "StoreId", "OwaId", "EwsLegacyId"] {
        let there = written(&ask(&sim, AURORA, &convert("EwsId", &id, format)).await);
        assert_eq!(written(&ask(&sim, AURORA, &convert(format, &there, "EwsId")).await), id, "{format}");
    }
    let wrong = ask(&sim, AURORA, &convert("HexEntryId", r#"Id="0g""#, "EwsId")).await;
    assert_eq!(code(&wrong), "ErrorInvalidIdMalformed");
    let nobody = convert("EwsId", &id, "EntryId").replace(AURORA, "nobody@example.com");
    assert!(
        ask(&sim, AURORA, &nobody).await.contains(&format!(r#"Mailbox="{AURORA}""#)),
        "the mailbox of the id"
    );
}
