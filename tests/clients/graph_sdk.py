"""Drives simulated Graph with Microsoft's own client (PyPI `msgraph-sdk`): list, create with transactionId, update with
If-Match, accept, decline, cancel, delete, batch, rooms, free/busy and people.

    graph_sdk.py ROOT TOKEN ROOM PERSON

ROOM has one meeting of somebody else, now, and is in a room list.
"""

import asyncio
import sys
from datetime import datetime, timedelta, timezone

from kiota_abstractions.api_error import APIError
from kiota_abstractions.authentication import AccessTokenProvider, AllowedHostsValidator
from kiota_abstractions.authentication import BaseBearerTokenAuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.attendee import Attendee
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.event import Event
from msgraph.generated.models.event_type import EventType
from msgraph.generated.models.free_busy_status import FreeBusyStatus
from msgraph.generated.models.response_type import ResponseType
from msgraph.generated.users.item.calendar.get_schedule.get_schedule_post_request_body import (
    GetSchedulePostRequestBody,
)
from msgraph.generated.users.item.calendar_view.calendar_view_request_builder import CalendarViewRequestBuilder
from msgraph.generated.users.item.events.item.accept.accept_post_request_body import AcceptPostRequestBody
from msgraph.generated.users.item.events.item.cancel.cancel_post_request_body import CancelPostRequestBody
from msgraph.generated.users.item.events.item.decline.decline_post_request_body import DeclinePostRequestBody
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem

root, token, room, person = sys.argv[1:]
now = datetime.now(timezone.utc).replace(microsecond=0)


class GivenToken(AccessTokenProvider):
    """The token from the command line."""

    async def get_authorization_token(self, uri, additional_authentication_context={}):
        return token

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([])


adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(GivenToken()))
adapter.base_url = f"{root}/v1.0"
client = GraphServiceClient(request_adapter=adapter)


def time_of(at):
    return DateTimeTimeZone(date_time=at.strftime("%Y-%m-%dT%H:%M:%S"), time_zone="UTC")


def configured(query=None, **headers):
    configuration = RequestConfiguration(query_parameters=query)
    for name, value in headers.items():
        configuration.headers.add(name.replace("_", "-"), value)
    return configuration


async def view(mailbox, **query):
    parameters = CalendarViewRequestBuilder.CalendarViewRequestBuilderGetQueryParameters(
        start_date_time=(now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        end_date_time=(now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **query,
    )
    configuration = configured(parameters, Prefer='IdType="ImmutableId"')
    return await client.users.by_user_id(mailbox).calendar_view.get(request_configuration=configuration)


def event(mailbox, event_id):
    return client.users.by_user_id(mailbox).events.by_event_id(event_id)


def draft(subject, hours, transaction=None, attendees=()):
    people = [Attendee(email_address=EmailAddress(address=address)) for address in attendees]
    start = now + timedelta(hours=hours)
    return Event(
        subject=subject, start=time_of(start), end=time_of(start + timedelta(minutes=30)),
        show_as=FreeBusyStatus.Busy, transaction_id=transaction, attendees=people,
    )


async def refused(status, code, awaited):
    try:
        await awaited
    except APIError as error:
        assert (error.response_status_code, error.error.code) == (status, code), error
    else:
        raise AssertionError(f"{code} was expected")


async def read_and_respond():
    [meeting] = (await view(room)).value
    assert meeting.type == EventType.SingleInstance and meeting.is_organizer is False, meeting
    assert meeting.response_status.response == ResponseType.Accepted
    assert meeting.organizer.email_address.address == person and len(meeting.id) == 72
    assert meeting.start.date_time.endswith(".0000000"), meeting.start
    await event(room, meeting.id).accept.post(AcceptPostRequestBody(send_response=True))
    await refused(400, "ErrorInvalidRequest", event(room, meeting.id).cancel.post(CancelPostRequestBody()))
    contrary = DeclinePostRequestBody(comment="x", send_response=False)
    await refused(400, "ErrorInvalidParameter", event(room, meeting.id).decline.post(contrary))
    body = DeclinePostRequestBody(comment="No one came.", send_response=True)
    await event(room, meeting.id).decline.post(body)
    await refused(404, "ErrorItemNotFound", event(room, meeting.id).get())
    sent = await client.users.by_user_id(room).mail_folders.by_mail_folder_id("sentitems").messages.get()
    kinds = [message.odata_type for message in sent.value]
    assert kinds == ["#microsoft.graph.eventMessageResponse"] * 2, kinds


async def create_update_delete():
    events = client.users.by_user_id(room).events
    created = await events.post(draft("Booked", 1, "t-1"))
    again = await events.post(draft("Booked", 1, "t-1"))
    assert created.id == again.id and created.transaction_id == "t-1"
    stale = configured(if_match=created.additional_data["@odata.etag"])
    shorter = Event(end=time_of(now + timedelta(hours=1, minutes=10)))
    updated = await event(room, created.id).patch(shorter, request_configuration=stale)
    assert updated.end.date_time != created.end.date_time and updated.change_key != created.change_key
    conflict = event(room, created.id).patch(shorter, request_configuration=stale)
    await refused(412, "ErrorIrresolvableConflict", conflict)
    await event(room, created.id).delete()
    await refused(404, "ErrorItemNotFound", event(room, created.id).delete())
    meeting = await events.post(draft("With guests", 2, attendees=[person]))
    await event(room, meeting.id).cancel.post(CancelPostRequestBody(comment="Closed."))
    seen = [one for one in (await view(person)).value if one.i_cal_u_id == meeting.i_cal_u_id]
    assert [one.is_cancelled for one in seen] == [True], seen
    assert not (await view(room)).value


async def pages():
    for number in range(12):
        await client.users.by_user_id(room).events.post(draft(f"Number {number}", 3))
    first = await view(room)
    assert len(first.value) == 10 and first.odata_next_link.startswith(f"{root}/v1.0/"), first.odata_next_link
    builder = client.users.by_user_id(room).calendar_view.with_url(first.odata_next_link)
    assert len((await builder.get()).value) == 2


async def batch():
    window = f"startDateTime={now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}&endDateTime={now:%Y-%m-%dT%H:%M:%SZ}"
    content = BatchRequestContent()
    urls = {"a": f"/users/{room}/calendarView?{window}", "b": "/users/nobody@example.com/events"}
    for key, url in urls.items():
        information = client.users.to_get_request_information()
        information.url = url  # relative, as documented
        content.add_request(key, BatchRequestItem(information, id=key))
    answers = await client.batch.post(content)
    statuses = {key: answers.get_response_by_id(key).status for key in urls}
    assert statuses == {"a": 200, "b": 404}, statuses


async def directory():
    rooms = await client.places.graph_room.get()
    assert [one.email_address for one in rooms.value] == [room], rooms
    [room_list] = (await client.places.graph_room_list.get()).value
    listed = await client.places.by_place_id(room_list.email_address).graph_room_list.rooms.get()
    assert [one.email_address for one in listed.value] == [room], listed
    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(filter=f"mail eq '{person}'")
    found = await client.users.get(request_configuration=configured(query))
    assert [one.mail for one in found.value] == [person], found
    body = GetSchedulePostRequestBody(
        schedules=[room, "nobody@example.com"], start_time=time_of(now), end_time=time_of(now + timedelta(days=1)),
        availability_view_interval=60,
    )
    schedules = (await client.users.by_user_id(room).calendar.get_schedule.post(body)).value
    assert [bool(one.schedule_items) for one in schedules] == [True, False], schedules
    assert schedules[1].error.response_code == "5009"


async def main():
    for part in (read_and_respond, create_update_delete, pages, batch, directory):
        await part()
        print(f"msgraph-sdk: {part.__name__}")


asyncio.run(main())
