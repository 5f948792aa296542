"""Drives simulated Graph with O365 (PyPI `o365`), a client that we did not write: list, create, update, accept, decline,
cancel, delete, and the properties that it reads.

    graph_o365.py ROOT TOKEN ROOM PERSON

ROOM has one meeting of somebody else, now. O365 signs in by msal, which needs Entra ID itself; here its session has the
token from the start.
"""

import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import requests
from O365 import Account, MSGraphProtocol

root, token, room, person = sys.argv[1:]


class Protocol(MSGraphProtocol):
    """Graph at the simulator's address."""

    _protocol_url = f"{root}/"


account = Account(
    ("client", "secret"), auth_flow_type="credentials", tenant_id="tenant", protocol=Protocol(timezone="UTC")
)
session = requests.Session()
session.headers["Authorization"] = f"Bearer {token}"
account.con.session = session
now = datetime.now(ZoneInfo("UTC")).replace(microsecond=0)


def calendar_of(mailbox):
    return account.schedule(resource=mailbox).get_default_calendar()


def view(mailbox, limit=25, batch=None):
    found = calendar_of(mailbox).get_events(
        limit, batch=batch, start_recurring=now - timedelta(days=1), end_recurring=now + timedelta(days=1)
    )
    return list(found)


def booked(subject, hours, attendees=()):
    event = calendar_of(room).new_event(subject)
    event.start, event.end = now + timedelta(hours=hours), now + timedelta(hours=hours, minutes=30)
    for address in attendees:
        event.attendees.add(address)
    assert event.save(), subject
    return event


# List
[meeting] = view(room)
assert meeting.organizer.address == person and meeting.attendees and not meeting.is_cancelled, meeting
assert meeting.response_status.status.name == "Accepted", meeting.response_status.status

# Accept, and decline
assert meeting.accept_event("Welcome.")
assert meeting.accept_event(tentatively=True)
assert view(room)[0].response_status.status.name == "TentativelyAccepted"
assert meeting.decline_event("No one came.")
assert not view(room)

# Create, update and delete
event = booked("Ad hoc <&>", 1)
event.subject = "Renamed"
assert event.save()
[seen] = view(room)
assert (seen.subject, seen.start, seen.ical_uid) == ("Renamed", event.start, event.ical_uid), seen
assert seen.delete() and not view(room)

# Cancel
event = booked("With guests", 2, [person])
[invitation] = [one for one in view(person) if one.ical_uid == event.ical_uid]
assert invitation.subject == "With guests" and not invitation.is_cancelled
assert event.cancel_event("Closed.")
assert not view(room)
assert [one.is_cancelled for one in view(person) if one.ical_uid == event.ical_uid] == [True]

# Pages
for number in range(12):
    booked(f"Number {number}", 3)
assert len(view(room, limit=None, batch=5)) == 12
print("o365: everything answered as expected")
