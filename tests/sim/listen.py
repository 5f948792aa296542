"""Listens to the simulator as an ordinary client would: a stream of events, events on request, synchronization."""

import sys
import threading
import time
from datetime import timedelta

from exchangelib import (
    IMPERSONATION, UTC, Account, Build, CalendarItem, Configuration, Credentials, EWSDateTime, FaultTolerance, Version,
)
from exchangelib.errors import ErrorInvalidSubscription, ErrorSubscriptionNotFound
from exchangelib.items import SEND_TO_NONE
from exchangelib.properties import CreatedEvent, ModifiedEvent, MovedEvent, StatusEvent

url, username, password, room = sys.argv[1:]


def open_account():
    config = Configuration(
        service_endpoint=url, credentials=Credentials(username, password), auth_type="basic",
        version=Version(build=Build(15, 2, 2562, 17)), retry_policy=FaultTolerance(max_wait=10), max_connections=4,
    )
    return Account(
        primary_smtp_address=room, config=config, autodiscover=False, access_type=IMPERSONATION, default_timezone=UTC
    )


account, other = open_account(), open_account()
calendar = account.calendar
now = EWSDateTime.now(tz=UTC).replace(microsecond=0)


def book(subject):
    item = CalendarItem(account=other, folder=other.calendar, subject=subject,
                        start=now + timedelta(hours=3), end=now + timedelta(hours=4))
    return item.save(send_meeting_invitations=SEND_TO_NONE)


def items(events, kind):
    return [event.item_id.id for event in events if isinstance(event, kind) and event.item_id]


# A stream: events from before it was opened, and while it is open
with calendar.streaming_subscription() as subscription:
    first = book("Before")
    booked = []

    def later():
        time.sleep(1)
        booked.append(book("While"))
        booked[0].subject = "Changed"
        booked[0].save(update_fields=["subject"], send_meeting_invitations=SEND_TO_NONE)
        booked[0].move_to_trash(send_meeting_cancellations=SEND_TO_NONE)

    somebody = threading.Thread(target=later)
    somebody.start()
    told = [event for notification in calendar.get_streaming_events(subscription, connection_timeout=1)
            for event in notification.events]
    somebody.join()
    created, modified, moved = items(told, CreatedEvent), items(told, ModifiedEvent), items(told, MovedEvent)
    assert created[0] == first.id and len(created) == 2, told
    assert modified == created[1:], told
    assert [event.old_item_id.id for event in told if isinstance(event, MovedEvent)] == created[1:], told
    assert len(moved) == 1, told
    assert any(isinstance(event, ModifiedEvent) and event.folder_id for event in told), told

for dead, error in (subscription, ErrorSubscriptionNotFound), ("nonsense", ErrorInvalidSubscription):
    try:
        list(calendar.get_streaming_events(dead, connection_timeout=1))
        raise AssertionError("a dead subscription was served")
    except error as refused:
        assert dead in str(refused), refused

# Pull notifications
with calendar.pull_subscription() as (subscription, watermark):
    nothing = list(calendar.get_events(subscription, watermark))[0]
    assert isinstance(nothing.events[0], StatusEvent), nothing
    third = book("Third")
    news = list(calendar.get_events(subscription, watermark))[0]
    assert items(news.events, CreatedEvent) == [third.id], news
    assert news.previous_watermark == watermark and not news.more_events, news
    rest = list(calendar.get_events(subscription, news.events[-1].watermark))[0]
    assert isinstance(rest.events[0], StatusEvent), rest

# Synchronization: the initial state, and changes
everything = list(calendar.sync_items(only_fields=["subject", "start"], max_changes_returned=1))
assert {change for change, _ in everything} == {"create"}, everything
assert {item.subject for _, item in everything} >= {"Before", "Third"}, everything
assert len(everything) == 3, everything
third.subject = "Third, changed"
third.save(update_fields=["subject"], send_meeting_invitations=SEND_TO_NONE)
gone = first.id
first.delete(send_meeting_cancellations=SEND_TO_NONE)
fourth = book("Fourth")
news = [(change, item.id) for change, item in calendar.sync_items(only_fields=["subject"])]
assert sorted(news) == sorted([("update", third.id), ("delete", gone), ("create", fourth.id)]), news
assert list(calendar.sync_items()) == []
print("exchangelib: streaming, pull, synchronization")
