"""Drives the simulator as an ordinary client would: list, create, update, decline, delete, room lists, a series."""

import sys
from datetime import timedelta

from exchangelib import (
    IMPERSONATION, UTC, Account, BaseProtocol, CalendarItem, Configuration, Credentials, EWSDateTime, FaultTolerance,
    Version, Build,
)
from exchangelib.recurrence import DailyPattern, Recurrence, NumberedPattern  # noqa: F401
from exchangelib.items import SEND_TO_NONE

url, username, password, room, uid = sys.argv[1:]
config = Configuration(
    service_endpoint=url,
    credentials=Credentials(username, password),
    auth_type="basic",
    version=Version(build=Build(15, 2, 2562, 17)),
    retry_policy=FaultTolerance(max_wait=10),
)
account = Account(
    primary_smtp_address=room, config=config, autodiscover=False, access_type=IMPERSONATION, default_timezone=UTC
)
now = EWSDateTime.now(tz=UTC).replace(microsecond=0)


def view():
    return list(account.calendar.view(start=now - timedelta(hours=2), end=now + timedelta(days=10)))


# Room lists
lists = list(account.protocol.get_roomlists())
assert [one.email_address for one in lists] == ["b1@example.com"], lists
rooms = list(account.protocol.get_rooms("b1@example.com"))
assert [one.email_address for one in rooms] == [room], rooms

# List
found = view()
assert [item.uid for item in found] == [uid], found

# Create and update
item = CalendarItem(account=account, folder=account.calendar, subject="Ad hoc <&>", body="At the door.",
                    start=now + timedelta(hours=3), end=now + timedelta(hours=4))
item.save(send_meeting_invitations=SEND_TO_NONE)
mine = [found for found in view() if found.subject == "Ad hoc <&>"][0]
mine.end = now + timedelta(hours=5)
mine.save(update_fields=["end"], send_meeting_invitations=SEND_TO_NONE)
mine = [found for found in view() if found.subject == "Ad hoc <&>"][0]
assert mine.end == now + timedelta(hours=5), mine.end

# A series, and one date of it
series = CalendarItem(
    account=account, folder=account.calendar, subject="Daily",
    start=now + timedelta(days=1), end=now + timedelta(days=1, hours=1),
    recurrence=Recurrence(pattern=DailyPattern(interval=1), start=(now + timedelta(days=1)).date(), number=4),
)
series.save(send_meeting_invitations=SEND_TO_NONE)
dates = [found for found in view() if found.subject == "Daily"]
assert len(dates) == 4 and {date.type for date in dates} == {"Occurrence"}, dates
dates[1].delete(send_meeting_cancellations=SEND_TO_NONE)
assert len([found for found in view() if found.subject == "Daily"]) == 3

# Decline
booking = [found for found in view() if found.uid == uid][0]
booking.decline(body="Nobody came.")
assert uid not in [found.uid for found in view()]

# Delete
mine.delete(send_meeting_cancellations=SEND_TO_NONE)
assert "Ad hoc <&>" not in [found.subject for found in view()]
print("exchangelib: list, create, update, series, decline, delete, room lists")
