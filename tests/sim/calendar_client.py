"""Uses every part of a calendar that exchangelib knows, against the simulator: properties, restrictions, orders, pages, series,
whole days, time zones, extended properties, invitations and their answers, ids.

Usage: calendar_client.py URL USER PASSWORD OTHER ROOM. USER is the address of a person whose account it is; OTHER is a person and
ROOM a room of the same server, both opened by impersonation. Each check is a function whose name says what it checks; all are
run, and those that failed are printed. What exchangelib does not send (Excludes, comparisons of two properties, paging from the
end) is checked in calendars.rs. Not covered, since the simulator has none: attachments, MIME, mail, contacts, tasks.
"""

import datetime as dt
import string
import sys
import traceback
import uuid

from exchangelib import (
    DELEGATE, IMPERSONATION, UTC, Account, Body, CalendarItem, Configuration, Credentials, EWSDate, EWSDateTime, EWSTimeZone,
    ExtendedProperty, FaultTolerance, HTMLBody, Message, Q, Task,
)
from exchangelib.errors import (
    ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange, ErrorCalendarOccurrenceIsDeletedFromRecurrence, ErrorChangeKeyRequired,
    ErrorContainsFilterWrongType, ErrorInvalidChangeKey, ErrorInvalidExtendedPropertyValue, ErrorInvalidIdMalformed,
    ErrorInvalidItemForOperationCreateItem, ErrorInvalidOperation, ErrorInvalidPropertyDelete, ErrorInvalidValueForProperty,
    ErrorItemNotFound, ErrorMissingInformationReferenceItemId, ErrorRecurrenceHasNoOccurrence, ErrorStaleObject,
    ErrorUnsupportedPathForQuery,
)
from exchangelib.fields import FRIDAY, MARCH, MONDAY, NOVEMBER, SUNDAY, WEDNESDAY, WEEK_DAY, WEEKEND_DAY
from exchangelib.folders import Calendar, Inbox
from exchangelib.items import (
    SEND_ONLY_TO_ALL, SEND_TO_NONE, AcceptItem, MeetingCancellation, MeetingRequest, MeetingResponse,
)
from exchangelib.properties import Attendee, AlternateId, Mailbox
from exchangelib.recurrence import (
    AbsoluteMonthlyPattern, AbsoluteYearlyPattern, DailyPattern, Recurrence, RelativeMonthlyPattern, RelativeYearlyPattern,
    WeeklyPattern,
)
from exchangelib.services import ConvertId, GetItem, UpdateItem
from exchangelib.winzone import MS_TIMEZONE_TO_IANA_MAP

url, username, password, other_address, room_address = sys.argv[1:]
BERLIN, SYDNEY = EWSTimeZone("Europe/Berlin"), EWSTimeZone("Australia/Sydney")


def account_of(address, access_type, zone=UTC):
    """exchangelib detects both the version and the authentication scheme."""
    config = Configuration(
        service_endpoint=url, credentials=Credentials(username, password), retry_policy=FaultTolerance(max_wait=10)
    )
    return Account(primary_smtp_address=address, config=config, access_type=access_type, default_timezone=zone)


mine = account_of(username, DELEGATE)
other = account_of(other_address, IMPERSONATION)
room = account_of(room_address, IMPERSONATION)
calendar = mine.calendar


def at(text, zone=UTC):
    return EWSDateTime.from_datetime(dt.datetime.fromisoformat(text)).replace(tzinfo=zone)


def book(start="2026-05-04T09:00", end="2026-05-04T10:00", zone=UTC, account=None, **properties):
    """An event with a unique category, by which a search finds it."""
    account = account or mine
    properties.setdefault("categories", [uuid.uuid4().hex])
    item = CalendarItem(
        account=account, folder=account.calendar, start=at(start, zone), end=at(end, zone), **properties
    )
    return item.save(send_meeting_invitations=SEND_TO_NONE)


def again(item):
    return item.account.calendar.get(id=item.id)


def refused(code, action):
    try:
        result = action()
        result = list(result) if hasattr(result, "__iter__") and not isinstance(result, str) else [result]
    except code:
        return
    assert any(isinstance(one, code) for one in result), f"{code.__name__} was expected, not {result}"


def same(found, wanted):
    assert found == wanted, f"{found!r} instead of {wanted!r}"


# The settable properties of an event: first value and changed value.
PROPERTIES = {
    "subject": ("Review & <budget>", "Another subject"),
    "body": (Body("Bring tea.\nAnd cake."), HTMLBody("<html><body><b>Tea</b></body></html>")),
    "sensitivity": ("Confidential", "Personal"),
    "importance": ("High", "Low"),
    "in_reply_to": ("<1@example.com>", "<2@example.com>"),
    "reminder_is_set": (True, False),
    "reminder_minutes_before_start": (45, 0),
    "culture": ("de-DE", "fr-CA"),
    "uid": ("uid of the first", "uid of the second"),
    "legacy_free_busy_status": ("OOF", "WorkingElsewhere"),
    "location": ("Aurora", "Borealis"),
    "when": ("After lunch", "Before dinner"),
    "is_response_requested": (False, True),
    "conference_type": (2, 1),
    "allow_new_time_proposal": (False, True),
    "meeting_workspace_url": ("http://work.example.com/1", "http://work.example.com/2"),
    "net_show_url": ("http://show.example.com/1", "http://show.example.com/2"),
    "start": (at("2026-05-04T09:00"), at("2026-06-05T13:15")),
    "end": (at("2026-05-04T10:30"), at("2026-06-05T14:00")),
}


def written(which):
    return {name: values[which] for name, values in PROPERTIES.items()}


def has(item, properties):
    for name, value in properties.items():
        found = getattr(item, name)
        assert found == value, f"{name}: {found!r} instead of {value!r}"
        assert type(found) is type(value) or not isinstance(value, Body), f"{name} is a {type(found).__name__}"


def every_property_reads_as_it_was_written():
    item = CalendarItem(account=mine, folder=calendar, **written(0)).save()
    has(again(item), written(0))
    for name, value in written(1).items():
        setattr(item, name, value)
    item.save(update_fields=list(PROPERTIES))
    has(again(item), written(1))


def every_property_that_need_not_be_there_can_be_cleared():
    names = ["subject", "body", "in_reply_to", "location", "when", "meeting_workspace_url", "net_show_url"]
    item = CalendarItem(account=mine, folder=calendar, categories=["x"], **written(0))
    item.required_attendees = [Attendee(mailbox=Mailbox(email_address=other_address))]
    item.save()
    names += ["categories", "required_attendees"]
    for name in names:
        setattr(item, name, None)
    item.save(update_fields=names)
    cleared = again(item)
    for name in names:
        assert not getattr(cleared, name), (name, getattr(cleared, name))
    assert cleared.start == PROPERTIES["start"][0] and cleared.sensitivity == "Confidential"


def what_must_be_there_cannot_be_cleared():
    item = book()
    refused(ErrorInvalidPropertyDelete, lambda: clear(item, "calendar:UID"))
    refused(ErrorInvalidPropertyDelete, lambda: clear(item, "calendar:Start"))
    same(again(item).start, at("2026-05-04T09:00"))


def clear(item, path):
    """Deletes a property that exchangelib itself never deletes."""
    subject = CalendarItem.get_field_by_fieldname("subject")
    was, subject.field_uri, item.subject = subject.field_uri, path, None
    try:
        item.save(update_fields=["subject"])
    finally:
        subject.field_uri = was


def a_subject_is_cut_where_exchange_cuts_it():
    field = CalendarItem.get_field_by_fieldname("subject")
    was, field.max_length = field.max_length, 4000
    try:
        same(again(book(subject="s" * 1000)).subject, "s" * 255)
    finally:
        field.max_length = was


def a_list_shows_what_an_item_shows():
    item = book(subject="Listed", location="Here", importance="Low", when="Now")
    listed = calendar.filter(categories__contains=item.categories).only("subject", "location", "importance", "when", "start").get()
    for name in ("subject", "location", "importance", "when", "start"):
        same(getattr(listed, name), getattr(item, name))


def each_simple_property_finds_its_event():
    item = CalendarItem(account=mine, folder=calendar, categories=[uuid.uuid4().hex], **written(0)).save()
    mine_only = calendar.filter(categories__contains=item.categories)
    not_searchable = ["uid", "culture", "is_response_requested", "allow_new_time_proposal"]
    for name, value in written(0).items():
        if name in not_searchable:
            continue
        same((name, mine_only.filter(**{name: value}).count()), (name, 1))
        same((name, mine_only.exclude(**{name: value}).count()), (name, 0))
        same((name, mine_only.filter(**{name + "__in": [value]}).count()), (name, 1))
        same((name, mine_only.filter(**{name: written(1)[name]}).count()), (name, 0))


def comparisons_have_their_bounds():
    item = book(reminder_is_set=True, reminder_minutes_before_start=30)
    found = lambda **wanted: calendar.filter(categories__contains=item.categories, **wanted).count()
    minute = dt.timedelta(minutes=1)
    for name, value, less, more in [
        ("start", item.start, item.start - minute, item.start + minute),
        ("end", item.end, item.end - minute, item.end + minute),
        ("reminder_minutes_before_start", 30, 29, 31),
    ]:
        same([found(**{f"{name}__gt": less}), found(**{f"{name}__gt": value})], [1, 0])
        same([found(**{f"{name}__gte": value}), found(**{f"{name}__gte": more})], [1, 0])
        same([found(**{f"{name}__lt": more}), found(**{f"{name}__lt": value})], [1, 0])
        same([found(**{f"{name}__lte": value}), found(**{f"{name}__lte": less})], [1, 0])
        same([found(**{f"{name}__range": (less, more)}), found(**{f"{name}__range": (more, more)})], [1, 0])
        same([found(**{f"{name}__not": less}), found(**{f"{name}__not": value})], [1, 0])


def expressions_are_joined_and_turned_around():
    tag = uuid.uuid4().hex
    for subject, place in [("one", "north"), ("two", "north"), ("three", "south")]:
        book(subject=subject, location=place, categories=[tag])
    found = lambda query: sorted(calendar.filter(query, categories__contains=[tag]).values_list("subject", flat=True))
    same(found(Q(location="north")), ["one", "two"])
    same(found(Q(location="north") & Q(subject="two")), ["two"])
    same(found(Q(subject="one") | Q(subject="three")), ["one", "three"])
    same(found(~Q(location="north")), ["three"])
    same(found(~(Q(subject="one") | Q(location="south"))), ["two"])
    same(found((Q(subject="one") | Q(subject="three")) & ~Q(location="south")), ["one"])


def texts_are_contained_in_each_mode():
    item = book(subject="Quarterly Review of Plans", location="Café Nord")
    found = lambda **wanted: calendar.filter(categories__contains=item.categories, **wanted).count()
    for lookup, text, count in [
        ("contains", "Review", 1), ("contains", "review", 0), ("icontains", "review", 1), ("icontains", "revue", 0),
        ("startswith", "Quart", 1), ("startswith", "quart", 0), ("istartswith", "quart", 1), ("istartswith", "Review", 0),
        ("exact", "Quarterly Review of Plans", 1), ("exact", "Quarterly", 0),
        ("iexact", "quarterly review of plans", 1), ("iexact", "quarterly", 0),
    ]:
        same((lookup, text, found(**{f"subject__{lookup}": text})), (lookup, text, count))
    same(found(body__contains="tea"), 0)


def categories_are_searched_one_by_one():
    tag = uuid.uuid4().hex
    book(categories=[tag, "red"])
    book(categories=[tag, "green"])
    found = lambda **wanted: calendar.filter(categories__contains=[tag], **wanted).count()
    same(calendar.filter(categories__contains=[tag, "red"]).count(), 1)
    same(calendar.filter(categories__in=["red", tag]).filter(categories__contains=[tag]).count(), 2)
    same(calendar.filter(categories__contains=[tag, "blue"]).count(), 0)
    same(found(), 2)


def what_is_there_exists_and_what_was_cleared_does_not():
    item = book(location="Somewhere")
    found = lambda **wanted: calendar.filter(categories__contains=item.categories, **wanted).count()
    same([found(location__exists=True), found(when__exists=True), found(when__exists=False)], [1, 0, 1])
    item.location = None
    item.save(update_fields=["location"])
    same([found(location__exists=True), found(location__exists=False)], [0, 1])


def what_cannot_be_searched_is_refused():
    def search(name, **wanted):
        field = CalendarItem.get_field_by_fieldname(name)
        was, field.is_searchable = field.is_searchable, True
        try:
            return list(calendar.filter(**wanted))
        finally:
            field.is_searchable = was

    refused(ErrorUnsupportedPathForQuery, lambda: search("uid", uid="x"))
    refused(ErrorUnsupportedPathForQuery, lambda: search("culture", culture="de-DE"))
    refused(ErrorUnsupportedPathForQuery, lambda: search("is_response_requested", is_response_requested=True))
    same(search("reminder_due_by", reminder_due_by=at("2026-05-04T09:00")), [])
    book()
    refused(ErrorContainsFilterWrongType, lambda: list(calendar.filter(sensitivity__contains="Normal")))


def orders_go_up_and_down_by_one_property_and_by_two():
    tag = uuid.uuid4().hex
    for subject, hour, importance in [("b", 9, "High"), ("a", 11, "Low"), ("c", 10, "High"), ("d", 8, "Normal")]:
        book(f"2026-05-04T{hour:02}:00", f"2026-05-04T{hour:02}:30", subject=subject, importance=importance, categories=[tag])
    ordered = lambda *keys: "".join(calendar.filter(categories__contains=[tag]).order_by(*keys).values_list("subject", flat=True))
    same([ordered("subject"), ordered("-subject")], ["abcd", "dcba"])
    same([ordered("start"), ordered("-start")], ["dbca", "acbd"])
    same([ordered("importance", "start"), ordered("-importance", "-start")], ["adbc", "cbda"])


def pages_hold_what_they_should_and_all_come():
    tag = uuid.uuid4().hex
    for number in range(11):
        book(f"2026-05-{number + 1:02}T09:00", f"2026-05-{number + 1:02}T10:00", subject=f"{number:02}", categories=[tag])
    query = calendar.filter(categories__contains=[tag]).order_by("start")
    query.page_size = 4
    same([item.subject for item in query], [f"{number:02}" for number in range(11)])
    ordered = calendar.filter(categories__contains=[tag]).order_by("start")
    same([item.subject for item in ordered[3:6]], ["03", "04", "05"])
    same(query.count(), 11)


def a_view_has_what_happens_and_no_more_than_is_wanted():
    tag = uuid.uuid4().hex
    for day in (3, 10, 17):
        book(f"2031-03-{day:02}T09:00", f"2031-03-{day:02}T10:00", categories=[tag])
    view = lambda start, end, **how: [i for i in calendar.view(start=at(start), end=at(end), **how) if i.categories == [tag]]
    same(len(view("2031-03-01T00:00", "2031-03-31T00:00")), 3)
    same(len(view("2031-03-10T09:30", "2031-03-17T09:00")), 1)
    same(len(view("2031-03-03T10:30", "2031-03-10T09:00")), 0)
    same(len(view("2031-03-01T00:00", "2031-03-31T00:00", max_items=2)), 2)
    refused(
        ErrorInvalidOperation,
        lambda: list(calendar.view(start=at("2031-03-01T00:00"), end=at("2031-03-31T00:00")).filter(subject="x")),
    )


def series(pattern, start="2027-01-04T09:00", zone=UTC, minutes=60, **range_and_more):
    how = {name: range_and_more.pop(name) for name in ("number", "end") if name in range_and_more}
    first = at(start, zone)
    properties = {"categories": [uuid.uuid4().hex], **range_and_more}
    item = CalendarItem(
        account=mine, folder=calendar, start=first, end=first + dt.timedelta(minutes=minutes),
        recurrence=Recurrence(pattern=pattern, start=first.date(), **how), **properties,
    )
    item.save()
    return again(item)


def dates(master, start="2027-01-01T00:00", end="2028-12-31T00:00"):
    view = calendar.view(start=at(start), end=at(end))
    return sorted((i for i in view if i.categories == master.categories), key=lambda item: item.start)


def days(master, **view):
    return [f"{item.start.date():%a %y-%m-%d}" for item in dates(master, **view)]


def daily_series_skip_days():
    same(days(series(DailyPattern(interval=3), number=3)), ["Mon 27-01-04", "Thu 27-01-07", "Sun 27-01-10"])


def weekly_series_keep_their_weeks_and_the_day_these_begin_with():
    every_other = WeeklyPattern(interval=2, weekdays=[MONDAY, SUNDAY], first_day_of_week=MONDAY)
    same(days(series(every_other, number=4)), ["Mon 27-01-04", "Sun 27-01-10", "Mon 27-01-18", "Sun 27-01-24"])
    from_sunday = WeeklyPattern(interval=2, weekdays=[MONDAY, SUNDAY], first_day_of_week=SUNDAY)
    same(days(series(from_sunday, number=4)), ["Mon 27-01-04", "Sun 27-01-17", "Mon 27-01-18", "Sun 27-01-31"])


def monthly_series_by_day_end_with_the_month():
    last = AbsoluteMonthlyPattern(interval=1, day_of_month=31)
    same(days(series(last, start="2027-01-31T09:00", number=3)), ["Sun 27-01-31", "Sun 27-02-28", "Wed 27-03-31"])


def monthly_series_by_weekday_count_in_their_month():
    last_friday = RelativeMonthlyPattern(interval=2, weekday=FRIDAY, week_number=5)
    same(days(series(last_friday, number=3)), ["Fri 27-01-29", "Fri 27-03-26", "Fri 27-05-28"])
    third_workday = RelativeMonthlyPattern(interval=1, weekday=WEEK_DAY, week_number=3)
    same(days(series(third_workday, number=3)), ["Tue 27-01-05", "Wed 27-02-03", "Wed 27-03-03"])


def yearly_series_come_once_a_year():
    by_day = AbsoluteYearlyPattern(day_of_month=13, month=NOVEMBER)
    same(days(series(by_day, number=2)), ["Sat 27-11-13", "Mon 28-11-13"])
    by_weekday = RelativeYearlyPattern(weekday=WEEKEND_DAY, week_number=1, month=MARCH)
    same(days(series(by_weekday, number=2)), ["Sat 27-03-06", "Sat 28-03-04"])


def every_pattern_and_range_reads_as_it_was_written():
    patterns = [
        DailyPattern(interval=2), WeeklyPattern(interval=3, weekdays=[MONDAY, WEDNESDAY], first_day_of_week=WEDNESDAY),
        AbsoluteMonthlyPattern(interval=2, day_of_month=4), RelativeMonthlyPattern(interval=1, weekday=MONDAY, week_number=1),
        AbsoluteYearlyPattern(day_of_month=4, month=1), RelativeYearlyPattern(weekday=MONDAY, week_number=1, month=1),
    ]
    for pattern in patterns:
        for how in ({}, {"number": 5}, {"end": EWSDate(2030, 6, 30)}):
            same(series(pattern, **how).recurrence, Recurrence(pattern=pattern, start=EWSDate(2027, 1, 4), **how))


def series_end_as_they_should():
    until = series(DailyPattern(interval=1), end=EWSDate(2027, 1, 6))
    same(len(dates(until)), 3)
    same(until.last_occurrence.start, at("2027-01-06T09:00"))
    forever = series(DailyPattern(interval=1))
    same((forever.last_occurrence, len(dates(forever, start="2029-12-01T00:00", end="2029-12-31T00:00"))), (None, 30))
    forever.delete()
    refused(
        ErrorRecurrenceHasNoOccurrence,
        lambda: series(AbsoluteYearlyPattern(day_of_month=1, month=NOVEMBER), end=EWSDate(2027, 6, 1)),
    )


def a_master_knows_its_first_and_its_last_date():
    master = series(DailyPattern(interval=1), number=4)
    found = dates(master)
    same((master.type, master.is_recurring), ("RecurringMaster", False))
    same({(item.type, item.is_recurring) for item in found}, {("Occurrence", True)})
    same((master.first_occurrence.id, master.last_occurrence.id), (found[0].id, found[-1].id))
    same((master.last_occurrence.start, master.last_occurrence.end), (found[-1].start, found[-1].end))
    same((master.modified_occurrences, master.deleted_occurrences), (None, None))


def a_changed_date_is_an_exception_of_its_series():
    master = series(DailyPattern(interval=1), number=4, subject="As planned")
    second = dates(master)[1]
    second.start += dt.timedelta(hours=2)
    second.end += dt.timedelta(hours=2)
    second.subject = "Later"
    second.save(update_fields=["start", "end", "subject"])
    found = dates(master)
    same([item.type for item in found], ["Occurrence", "Exception", "Occurrence", "Occurrence"])
    same((found[1].subject, found[1].original_start), ("Later", at("2027-01-05T09:00")))
    [changed] = again(master).modified_occurrences
    same((changed.start, changed.original_start), (at("2027-01-05T11:00"), at("2027-01-05T09:00")))
    same(found[2].subject, "As planned")


def a_deleted_date_is_remembered_by_its_series():
    master = series(DailyPattern(interval=1), number=4)
    dates(master)[2].delete()
    same(days(master), ["Mon 27-01-04", "Tue 27-01-05", "Thu 27-01-07"])
    [deleted] = again(master).deleted_occurrences
    same(deleted.start, at("2027-01-06T09:00"))


def dates_are_reached_by_their_number():
    master = series(DailyPattern(interval=1), number=4, subject="By number")
    third = master.occurrence(index=3)
    third.refresh()
    same((third.start, third.subject), (at("2027-01-06T09:00"), "By number"))
    third.location = "Elsewhere"
    third.save(update_fields=["location"])
    same(dates(master)[2].location, "Elsewhere")
    master.occurrence(index=2).delete()
    refused(ErrorCalendarOccurrenceIsDeletedFromRecurrence, lambda: master.occurrence(index=2).refresh())
    refused(ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange, lambda: master.occurrence(index=5).refresh())


def a_date_leads_to_its_master():
    master = series(DailyPattern(interval=1), number=4, subject="Master")
    found = dates(master)[1].recurring_master()
    found.refresh()
    same((found.id, found.subject, found.recurrence), (master.id, "Master", master.recurrence))
    found.subject = "Renamed"
    found.save(update_fields=["subject"])
    same({item.subject for item in dates(master)}, {"Renamed"})
    found.delete()
    refused(ErrorItemNotFound, lambda: again(master))


def a_series_becomes_a_single_event_and_the_other_way_round():
    master = series(DailyPattern(interval=1), number=4)
    master.recurrence = None
    master.save(update_fields=["recurrence"])
    single = again(master)
    same((single.type, len(dates(single))), ("Single", 1))
    single.recurrence = Recurrence(pattern=DailyPattern(interval=2), start=single.start.date(), number=3)
    single.save(update_fields=["recurrence"])
    same(days(single), ["Mon 27-01-04", "Wed 27-01-06", "Fri 27-01-08"])


def a_series_goes_by_the_clock_of_its_zone():
    master = series(DailyPattern(interval=1), start="2027-03-26T00:30", zone=BERLIN, number=4)
    starts = [f"{item.start.astimezone(UTC):%d %H:%M}" for item in dates(master)]
    same(starts, ["25 23:30", "26 23:30", "27 23:30", "28 22:30"])
    same(master.recurrence.boundary.start, EWSDate(2027, 3, 26))


def whole_days_are_dates():
    item = CalendarItem(
        account=mine, folder=calendar, is_all_day=True, start=EWSDate(2026, 5, 4), end=EWSDate(2026, 5, 6), categories=["whole"]
    ).save()
    found = again(item)
    same((found.is_all_day, found.start, found.end), (True, EWSDate(2026, 5, 4), EWSDate(2026, 5, 6)))


def times_within_whole_days_go_to_midnight_where_they_are():
    berlin = account_of(username, DELEGATE, zone=BERLIN)
    item = book("2026-05-04T15:00", "2026-05-06T08:00", zone=BERLIN, account=berlin, is_all_day=True)
    found = again(item)
    same((found.start, found.end), (EWSDate(2026, 5, 4), EWSDate(2026, 5, 6)))
    [listed] = mine.calendar.filter(categories__contains=item.categories).values("start", "end", "is_all_day")
    same(listed["is_all_day"], True)
    view = mine.calendar.view(start=at("2026-05-03T22:30"), end=at("2026-05-03T23:00"))
    assert item.id in [found.id for found in view], "the day begins at 22:00 UTC"


def an_event_keeps_the_zones_in_which_it_was_made():
    item = CalendarItem(
        account=mine, folder=calendar, start=at("2026-05-04T09:00", BERLIN), end=at("2026-05-04T20:00", SYDNEY) + dt.timedelta(days=1),
        categories=["zones"],
    ).save()
    found = again(item)
    same((found._start_timezone.ms_id, found._end_timezone.ms_id), ("W. Europe Standard Time", "AUS Eastern Standard Time"))
    same(found.start, at("2026-05-04T07:00"))
    found.save(update_fields=["start", "end"])
    same(again(item)._start_timezone.ms_id, "W. Europe Standard Time")


def the_server_has_every_zone_of_windows():
    known = {zone.id for zone in mine.protocol.get_timezones()}
    missing = {name for name in MS_TIMEZONE_TO_IANA_MAP if name not in known} - {"tzone://Microsoft/Utc"}
    assert len(missing) < 5, f"not known: {missing}"
    same(len(list(mine.protocol.get_timezones(timezones=[BERLIN, SYDNEY]))), 2)
    [berlin] = mine.protocol.get_timezones(timezones=[BERLIN], return_full_timezone_data=True)
    same(sorted(period.bias_in_minutes for period in berlin.periods), [-120, -60])
    assert berlin.get_std_and_dst(for_year=2027), berlin


class Colour(ExtendedProperty):
    property_set_id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    property_name = "colour"
    property_type = "String"


class Weights(ExtendedProperty):
    distinguished_property_set_id = "PublicStrings"
    property_name = "weights"
    property_type = "IntegerArray"


class Seats(ExtendedProperty):
    distinguished_property_set_id = "Appointment"
    property_id = 0x9001
    property_type = "Integer"


class Checked(ExtendedProperty):
    property_tag = 0x6801
    property_type = "SystemTime"


class MapiSubject(ExtendedProperty):
    property_tag = 0x37
    property_type = "String"


EXTENDED = {"colour": Colour, "weights": Weights, "seats": Seats, "checked": Checked, "mapi_subject": MapiSubject}


def extended_properties_of_each_kind_are_kept():
    item = book(colour="red <&>", weights=[1, 2, 3], seats=12, checked=at("2026-05-04T08:30"))
    found = again(item)
    same((found.colour, found.weights, found.seats, found.checked), ("red <&>", [1, 2, 3], 12, at("2026-05-04T08:30")))
    found.colour, found.weights, found.seats = "blue", [4], None
    found.save(update_fields=["colour", "weights", "seats"])
    found = again(item)
    same((found.colour, found.weights, found.seats), ("blue", [4], None))


def extended_properties_are_searched_and_sorted_by():
    tag = uuid.uuid4().hex
    for colour, seats in [("red", 3), ("green", 20), ("red", 100)]:
        book(colour=colour, seats=seats, categories=[tag])
    book(categories=[tag])
    found = lambda **wanted: calendar.filter(categories__contains=[tag], **wanted).count()
    same([found(colour="red"), found(colour__contains="ree"), found(seats__gt=3), found(seats__exists=True)], [2, 1, 2, 3])
    ordered = calendar.filter(categories__contains=[tag], seats__exists=True).order_by("-seats").values_list("seats", flat=True)
    same(list(ordered), [100, 20, 3])


def what_mapi_calls_a_property_is_the_property():
    item = book(subject="By its own name")
    same(again(item).mapi_subject, "By its own name")
    item.mapi_subject = "By its other name"
    item.save(update_fields=["mapi_subject"])
    same(again(item).subject, "By its other name")
    same(calendar.filter(categories__contains=item.categories, mapi_subject="By its other name").count(), 1)


def a_value_of_another_type_is_refused():
    class Odd(Seats):
        property_type = "Integer"

        def clean(self, version=None):
            pass

    CalendarItem.deregister("seats")
    CalendarItem.register("seats", Odd)
    try:
        field = CalendarItem.get_field_by_fieldname("seats")
        was, field.clean = field.clean, lambda value, version=None: value
        try:
            refused(ErrorInvalidExtendedPropertyValue, lambda: book(seats="many"))
        finally:
            field.clean = was
    finally:
        CalendarItem.deregister("seats")
        CalendarItem.register("seats", Seats)


def invite(subject, **more):
    item = CalendarItem(
        account=mine, folder=calendar, subject=subject, start=at("2035-05-04T09:00"), end=at("2035-05-04T10:00"), location="Aurora",
        required_attendees=[Attendee(mailbox=Mailbox(email_address=other_address))], **more,
    )
    return item.save(send_meeting_invitations=SEND_ONLY_TO_ALL)


def message(account, subject, kind):
    found = [item for item in account.inbox.filter(subject__contains=subject) if isinstance(item, kind)]
    same(len(found), 1)
    return found[0]


def an_invitation_arrives_with_all_that_it_says():
    subject = uuid.uuid4().hex
    invite(subject)
    request = message(other, subject, MeetingRequest)
    same((request.start, request.end, request.location), (at("2035-05-04T09:00"), at("2035-05-04T10:00"), "Aurora"))
    same((request.organizer.email_address, request.my_response_type), (username, "NoResponseReceived"))
    same(request.item_class, "IPM.Schedule.Meeting.Request")
    [copy] = other.calendar.filter(subject=subject)
    same(request.associated_calendar_item_id.id, copy.id)
    same((copy.is_meeting, copy.type, copy.meeting_request_was_sent), (True, "Single", True))


def each_answer_reaches_the_organizer():
    answers = [
        ("accept", "Accept", "IPM.Schedule.Meeting.Resp.Pos"),
        ("tentatively_accept", "Tentative", "IPM.Schedule.Meeting.Resp.Tent"),
        ("decline", "Decline", "IPM.Schedule.Meeting.Resp.Neg"),
    ]
    for method, answer, message_class in answers:
        subject = uuid.uuid4().hex
        meeting = invite(subject)
        getattr(message(other, subject, MeetingRequest), method)(body="As you say.")
        same(other.inbox.filter(subject=subject).count(), 0)
        [attendee] = again(meeting).required_attendees
        same(attendee.response_type, answer)
        response = message(mine, subject, MeetingResponse)
        same((response.response_type, response.item_class), (answer, message_class))
        copies = list(other.calendar.filter(subject=subject))
        same([copy.my_response_type for copy in copies], [] if answer == "Decline" else [answer])


def a_meeting_is_answered_in_the_calendar_as_well():
    subject = uuid.uuid4().hex
    meeting = invite(subject)
    other.calendar.get(subject=subject).accept()
    same(again(meeting).required_attendees[0].response_type, "Accept")


def a_room_answers_by_itself_and_keeps_no_message():
    subject = uuid.uuid4().hex
    meeting = invite(subject, resources=[Attendee(mailbox=Mailbox(email_address=room_address))])
    same(again(meeting).resources[0].response_type, "Accept")
    same(room.inbox.all().count(), 0)
    [copy] = room.calendar.filter(start=at("2035-05-04T09:00"))
    same(copy.my_response_type, "Accept")
    meeting.cancel()


def a_cancellation_arrives_and_marks_the_copy():
    subject = uuid.uuid4().hex
    meeting = invite(subject)
    meeting.cancel()
    cancellation = message(other, subject, MeetingCancellation)
    same(cancellation.item_class, "IPM.Schedule.Meeting.Canceled")
    [copy] = other.calendar.filter(subject__contains=subject)
    same((copy.is_cancelled, copy.appointment_state), (True, ("Meeting", "Received", "Canceled")))
    refused(ErrorItemNotFound, lambda: again(meeting))
    refused(ErrorItemNotFound, meeting.cancel)


def an_answer_needs_something_to_answer():
    refused(ErrorMissingInformationReferenceItemId, lambda: AcceptItem(account=mine).send())
    subject = uuid.uuid4().hex
    invite(subject)
    request = message(other, subject, MeetingRequest)
    unversioned = MeetingRequest(account=other, id=request.id, changekey=None)
    refused((ErrorChangeKeyRequired, ValueError), unversioned.accept)


def get(account, item_id, changekey=None):
    ids = [(item_id, changekey)]
    return list(GetItem(account=account).call(items=ids, additional_fields=None, shape="IdOnly"))


def ids_that_name_nothing_are_told_apart():
    item = book()
    key = item.changekey
    item_id = item.id
    refused(ErrorInvalidIdMalformed, lambda: get(mine, "AAMkADwrong="))
    refused(ErrorInvalidChangeKey, lambda: get(mine, item_id, "AAAA"))
    foreign = book(account=other)
    refused(ErrorItemNotFound, lambda: get(room, foreign.id))
    refused(ErrorItemNotFound, lambda: get(other, item_id))
    item.delete()
    refused(ErrorItemNotFound, lambda: get(mine, item_id, key))
    item.id, item.changekey = item_id, key
    refused(ErrorItemNotFound, lambda: item.save(update_fields=["subject"]))
    refused(ErrorItemNotFound, item.delete)


def a_stale_version_is_merged_or_refused():
    item = book(subject="First")
    stale = again(item)
    item.subject = "Second"
    item.save(update_fields=["subject"])
    stale.location = "Here"
    stale.save(update_fields=["location"])
    same((again(item).subject, again(item).location), ("Second", "Here"))
    subject = uuid.uuid4().hex
    invite(subject)
    copy = other.calendar.get(subject=subject)
    late = other.calendar.get(subject=subject)
    copy.reminder_is_set = True
    copy.save(update_fields=["reminder_is_set"])
    refused(ErrorStaleObject, late.decline)


def ids_convert_to_every_format_and_back():
    item = book()

    def ask(word, given, wanted):
        ids = [AlternateId(id=word, format=given, mailbox=username)]
        return list(ConvertId(protocol=mine.protocol).call(ids, wanted))

    convert = lambda *how: ask(*how)[0].id
    for wanted in ("EntryId", "HexEntryId", "StoreId", "OwaId", "EwsLegacyId"):
        converted = convert(item.id, "EwsId", wanted)
        assert wanted not in ("EntryId", "HexEntryId", "StoreId") or converted != item.id, wanted
        same((wanted, convert(converted, wanted, "EwsId")), (wanted, item.id))
    refused(ErrorInvalidIdMalformed, lambda: ask("DUMMY", "EwsId", "EntryId"))


def folders_and_names_are_found():
    same((type(mine.calendar), type(mine.inbox)), (Calendar, Inbox))
    assert mine.root.effective_rights is None or mine.root.id
    book()
    mine.calendar.refresh()
    same(mine.calendar.total_count, 1)
    names = {folder.name for folder in mine.msg_folder_root.walk()}
    assert {"Calendar", "Inbox", "Deleted Items", "Sent Items"} <= names, names
    [found] = mine.protocol.resolve_names([other_address])
    same(found.email_address, other_address)


def what_is_no_calendar_is_refused():
    refused(
        ErrorInvalidItemForOperationCreateItem, lambda: Message(account=mine, folder=mine.drafts, subject="Mail").save()
    )
    refused(ErrorInvalidItemForOperationCreateItem, lambda: Task(account=mine, folder=mine.drafts, subject="Task").save())


def many_events_are_made_changed_moved_and_deleted_at_once():
    tag = uuid.uuid4().hex
    items = [
        CalendarItem(start=at("2026-05-04T09:00"), end=at("2026-05-04T10:00"), subject=letter, categories=[tag])
        for letter in string.ascii_lowercase
    ]
    calendar.bulk_create(items)
    found = list(calendar.filter(categories__contains=[tag]))
    same(len(found), 26)
    for item in found:
        item.location = item.subject * 2
    mine.bulk_update([(item, ["location"]) for item in found])
    same(calendar.filter(categories__contains=[tag], location="qq").count(), 1)
    mine.bulk_move(list(calendar.filter(categories__contains=[tag], subject__lt="d")), to_folder=mine.trash)
    same(mine.trash.filter(categories__contains=[tag]).count(), 3)
    calendar.filter(categories__contains=[tag]).delete()
    same(calendar.filter(categories__contains=[tag]).count(), 0)


CHECKS = [
    every_property_reads_as_it_was_written, every_property_that_need_not_be_there_can_be_cleared,
    what_must_be_there_cannot_be_cleared, a_subject_is_cut_where_exchange_cuts_it, a_list_shows_what_an_item_shows,
    each_simple_property_finds_its_event, comparisons_have_their_bounds, expressions_are_joined_and_turned_around,
    texts_are_contained_in_each_mode, categories_are_searched_one_by_one, what_is_there_exists_and_what_was_cleared_does_not,
    what_cannot_be_searched_is_refused, orders_go_up_and_down_by_one_property_and_by_two, pages_hold_what_they_should_and_all_come,
    a_view_has_what_happens_and_no_more_than_is_wanted, daily_series_skip_days,
    weekly_series_keep_their_weeks_and_the_day_these_begin_with, monthly_series_by_day_end_with_the_month,
    monthly_series_by_weekday_count_in_their_month, yearly_series_come_once_a_year,
    every_pattern_and_range_reads_as_it_was_written, series_end_as_they_should, a_master_knows_its_first_and_its_last_date,
    a_changed_date_is_an_exception_of_its_series, a_deleted_date_is_remembered_by_its_series, dates_are_reached_by_their_number,
    a_date_leads_to_its_master, a_series_becomes_a_single_event_and_the_other_way_round, a_series_goes_by_the_clock_of_its_zone,
    whole_days_are_dates, times_within_whole_days_go_to_midnight_where_they_are, an_event_keeps_the_zones_in_which_it_was_made,
    the_server_has_every_zone_of_windows, extended_properties_of_each_kind_are_kept, extended_properties_are_searched_and_sorted_by,
    what_mapi_calls_a_property_is_the_property, a_value_of_another_type_is_refused, an_invitation_arrives_with_all_that_it_says,
    each_answer_reaches_the_organizer, a_meeting_is_answered_in_the_calendar_as_well, a_room_answers_by_itself_and_keeps_no_message,
    a_cancellation_arrives_and_marks_the_copy, an_answer_needs_something_to_answer, ids_that_name_nothing_are_told_apart,
    a_stale_version_is_merged_or_refused, ids_convert_to_every_format_and_back, folders_and_names_are_found,
    what_is_no_calendar_is_refused, many_events_are_made_changed_moved_and_deleted_at_once,
]


def main():
    for name, kind in EXTENDED.items():
        CalendarItem.register(name, kind)
    failed = []
    for check in CHECKS:
        try:
            check()
        except Exception:  # Whatever it is, the other checks are of interest too.
            failed.append(check.__name__)
            print(f"--- {check.__name__}\n{traceback.format_exc()}")
        calendar.all().delete()
    print(f"exchangelib: {len(CHECKS) - len(failed)} of {len(CHECKS)} checks of calendars hold, on {mine.version}")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


main()
