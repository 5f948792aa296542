"""A room display on the client that openapi-python-client makes of fixtures/openapi.json: every answer is parsed into the generated types.

    PYTHONPATH=FOLDER_OF_THE_CLIENT python3 display.py http://127.0.0.1:8480 adj_demo_demo room-aurora@example.com room-fjord@example.com

The first room is in use, the second is free.
"""

import sys
from http import HTTPStatus

from adjourn_client import AuthenticatedClient
from adjourn_client.api.actions import book_room, delete_meeting, end_meeting, get_action, list_actions, undo_action
from adjourn_client.api.me import get_me
from adjourn_client.api.rooms import add_evidence, check_in, get_room, list_events, list_rooms
from adjourn_client.models import (
    ActionKind,
    ActionStatus,
    ActionView,
    AllowedAction,
    BookRoomRequest,
    ChangeKind,
    CheckInToEventRequest,
    EndEventRequest,
    EvidenceRequest,
    ExpectedTimes,
    Fault,
    Problem,
    ProblemType,
    ReportedSign,
    Right,
    UndoActionRequest,
)

BASE, KEY, IN_USE, FREE = sys.argv[1:5]
client = AuthenticatedClient(base_url=BASE, token=KEY, timeout=30, raise_on_unexpected_status=True)


def done(answer):
    """The action of an answer that is done."""
    assert answer.status_code == HTTPStatus.OK and isinstance(answer.parsed, ActionView), answer
    assert answer.parsed.state is ActionStatus.DONE, answer.parsed
    return answer.parsed


me = get_me.sync_detailed(client=client).parsed
assert Right.END in me.rights and Right.UNDO in me.rights, me

page = list_rooms.sync_detailed(client=client, limit=1000).parsed
assert {IN_USE, FREE} <= {room.id for room in page.rooms} and page.next_cursor is None, page

answer = get_room.sync_detailed(IN_USE, client=client)
room = answer.parsed
assert room.busy and AllowedAction.END in room.allowed_actions and room.current.end > room.as_of, room
unchanged = get_room.sync_detailed(IN_USE, client=client, if_none_match=answer.headers["ETag"])
assert unchanged.status_code == HTTPStatus.NOT_MODIFIED, unchanged

assert room.current.id in [event.id for event in room.agenda], room.agenda
assert all(room.agenda_from < event.end and event.start < room.agenda_to for event in room.agenda), room
day = list_events.sync_detailed(IN_USE, client=client, from_=room.agenda_from, to=room.agenda_to).parsed
assert {event.id for event in room.agenda} <= {event.id for event in day.events}, day

checked_in = check_in.sync_detailed(IN_USE, client=client, body=CheckInToEventRequest(source="panel")).parsed
assert checked_in.room == IN_USE and checked_in.event.id == room.current.id, checked_in
signs = EvidenceRequest(signs=[ReportedSign(room=IN_USE, source="motion")])
receipt = add_evidence.sync_detailed(client=client, body=signs, idempotency_key="generated-signs").parsed
assert receipt.accepted == 1 and receipt.rejected == [], receipt

end = EndEventRequest(event=room.current.id, seen=ExpectedTimes(start=room.current.start, end=room.current.end))
ended = done(end_meeting.sync_detailed(IN_USE, client=client, body=end, idempotency_key="generated-1", prefer="wait=20"))
assert ended.kind is ActionKind.END and ended.change.kind is ChangeKind.ENDED and not ended.repeated, ended
again = done(end_meeting.sync_detailed(IN_USE, client=client, body=end, idempotency_key="generated-1"))
assert again.id == ended.id and again.repeated, again
assert done(get_action.sync_detailed(ended.id, client=client)).accepted_at is not None
listed = list_actions.sync_detailed(client=client, room=IN_USE, state=ActionStatus.DONE).parsed
assert ended.id in [action.id for action in listed.actions], listed

undone = done(undo_action.sync_detailed(ended.id, client=client, body=UndoActionRequest()))
assert undone.change.kind is ChangeKind.END_RESTORED and undone.change.end == room.current.end, undone

booked = done(book_room.sync_detailed(FREE, client=client, body=BookRoomRequest(minutes=15)))
assert booked.change.kind is ChangeKind.BOOKED, booked
taken = book_room.sync_detailed(FREE, client=client, body=BookRoomRequest(minutes=15))
assert taken.status_code == HTTPStatus.CONFLICT and isinstance(taken.parsed, Problem), taken
assert taken.parsed.type_ is ProblemType.URNADJOURNPROBLEMCOLLIDES and taken.parsed.fault is Fault.NOBODY, taken
done(delete_meeting.sync_detailed(FREE, client=client, body=EndEventRequest()))

malformed = book_room.sync_detailed(FREE, client=client, body=BookRoomRequest(minutes=0))
assert malformed.status_code == HTTPStatus.BAD_REQUEST, malformed
assert [error.pointer for error in malformed.parsed.errors] == ["/minutes"], malformed
print("openapi-python-client: a display's day went as it should")
