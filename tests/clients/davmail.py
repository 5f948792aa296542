"""DavMail, a CalDAV gateway in front of EWS that we did not write, reads and deletes events of the simulator.

Usage: davmail.py PATH-OF-adjourn. Starts `adjourn sim` and Debian's DavMail (package davmail, Java) on free ports of 127.0.0.1,
talks CalDAV to DavMail with Python's standard library, and ends both by their process ids.

Checked: DavMail signs in and finds out whose mailbox it is (ConvertId), finds the calendar and its changes (ctag), lists events
that were made over EWS meanwhile, and deletes one.
Left out, because the simulator means to have neither: DavMail reads and writes an event's content as iCalendar in
item:MimeContent, and learns the zone's rules from a folder of its own (CreateFolder). The last check holds that such a PUT is
refused and leaves the calendar alone.
"""

import base64
import http.client
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from pathlib import Path

from processes import free_port, until_listening

USER, PASSWORD = "ada.albers@example.com", "simulated"
CALENDAR = f"/users/{USER}/calendar/"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
DAV = "{DAV:}"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"


def settings(url, port, log):
    """A gateway for CalDAV alone, without a tray icon, that asks nobody else."""
    return "\n".join([
        "davmail.server=true", "davmail.mode=EWS", f"davmail.url={url}", f"davmail.caldavPort={port}", "davmail.imapPort=",
        "davmail.smtpPort=", "davmail.popPort=", "davmail.ldapPort=", "davmail.bindAddress=127.0.0.1", "davmail.allowRemote=false",
        "davmail.disableUpdateCheck=true", "davmail.disableGuiNotifications=true", f"davmail.logFilePath={log}", "",
    ])


def send(port, method, path, body="", headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body.encode(), {"Authorization": BASIC, "Content-Type": "text/xml", **dict(headers)})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


class Ews:
    """What somebody else does in the same mailbox meanwhile."""

    def __init__(self, port):
        self.port = port

    def call(self, operation):
        envelope = (
            f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"><s:Header>'
            f'<t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header><s:Body>{operation}</s:Body></s:Envelope>'
        )
        status, answer = send(self.port, "POST", "/EWS/Exchange.asmx", envelope)
        assert status == 200 and "NoError" in answer, answer
        return xml.fromstring(answer)

    def book(self, subject):
        self.call(
            '<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem>'
            f"<t:Subject>{subject}</t:Subject><t:Start>2031-05-05T09:00:00Z</t:Start><t:End>2031-05-05T10:00:00Z</t:End>"
            "</t:CalendarItem></m:Items></m:CreateItem>"
        )

    def subjects(self):
        found = self.call(
            '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>'
            '<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>'
        )
        return sorted(element.text for element in found.iter(f"{{{TYPES}}}Subject"))


def propfind(port, path, depth, *properties):
    """The properties of each resource, by its path."""
    wanted = "".join(f"<{name}/>" for name in properties)
    status, answer = send(
        port, "PROPFIND", path,
        '<?xml version="1.0"?><D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" '
        f'xmlns:S="http://calendarserver.org/ns/"><D:prop>{wanted}</D:prop></D:propfind>',
        {"Depth": str(depth)},
    )
    assert status == 207, (status, answer)
    responses = xml.fromstring(answer).iter(f"{DAV}response")
    return {one.find(f"{DAV}href").text: one.find(f"{DAV}propstat/{DAV}prop") for one in responses}


def events(port):
    found = propfind(port, CALENDAR, 1, "D:getetag", "D:resourcetype")
    return {path: properties.find(f"{DAV}getetag").text for path, properties in found.items() if path != CALENDAR}


def ctag(port):
    tags = propfind(port, CALENDAR, 0, "S:getctag", "D:displayname")[CALENDAR]
    return tags.find("{http://calendarserver.org/ns/}getctag").text


def check(port, ews):
    home = propfind(port, f"/users/{USER}/", 0, "D:displayname", "C:calendar-home-set")
    assert home, "the principal"
    before, there = ctag(port), events(port)
    assert len(there) == len(ews.subjects()), (there, ews.subjects())
    time.sleep(1.1)  # What DavMail takes for the version of a folder counts in seconds.
    ews.book("Made meanwhile")
    new = set(events(port)) - set(there)
    assert len(new) == 1, (new, there)
    assert ctag(port) != before, "the calendar changed"
    print("DavMail: signs in, lists the calendar and sees what changed in it")

    status, answer = send(port, "DELETE", new.pop())
    assert status in (200, 204), (status, answer)
    assert "Made meanwhile" not in ews.subjects() and events(port).keys() == there.keys(), ews.subjects()
    status, answer = send(port, "DELETE", CALENDAR + "nothing.EML")
    assert status >= 400 or events(port).keys() == there.keys(), (status, answer)
    print("DavMail: deletes an event, and that one only")

    event = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:by-caldav\r\nDTSTAMP:20310505T080000Z\r\n"
        "SUMMARY:By CalDAV\r\nDTSTART:20310505T090000Z\r\nDTEND:20310505T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    status, answer = send(port, "PUT", CALENDAR + "by-caldav.ics", event, {"Content-Type": "text/calendar", "If-None-Match": "*"})
    assert status >= 400, (status, answer)
    assert events(port).keys() == there.keys(), "nothing came of it"
    print("DavMail: what it writes as iCalendar is refused, and nothing comes of it")


def main():
    adjourn = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as temp:
        home = Path(temp)
        back, front = free_port(), free_port()
        running = []
        try:
            sim = subprocess.Popen(
                [adjourn, "sim", "--port", str(back), "--user", USER, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            running.append(sim)
            until_listening("the simulator", back, sim)
            url = f"http://127.0.0.1:{back}/EWS/Exchange.asmx"
            (home / "davmail.properties").write_text(settings(url, front, home / "davmail.log"))
            with open(home / "output", "w") as output:
                davmail = subprocess.Popen(
                    ["java", "-Djava.awt.headless=true", "-jar", "/usr/share/davmail/davmail.jar", "-server",
                     str(home / "davmail.properties")],
                    stdout=output, stderr=output, cwd=home,
                )
            running.append(davmail)
            until_listening("DavMail", front, davmail)
            try:
                check(front, Ews(back))
            except BaseException:
                print((home / "output").read_text()[-4000:], file=sys.stderr)
                raise
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait()


main()
