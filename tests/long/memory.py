"""How much memory the service takes at most: 5 000 rooms followed by streaming, 1 900 event listeners, hostile answers of Exchange, and
evidence at the keys' full allowance. Ends with 1 when VmHWM is above 256 MiB.

    python3 tests/long/memory.py target/release/adjourn

A proxy stands between the service and `adjourn sim`. It answers one request of twelve by itself: with what inflates, never ends, nests,
or is far too large.
"""
import asyncio
import gzip
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ADJOURN = os.path.abspath(sys.argv[1])
ROOMS = int(os.environ.get("ROOMS", 5_000))
LISTENERS = int(os.environ.get("LISTENERS", 1_900))
KEYS = 100  # most for a floor of a hundred rooms each, one in twenty for all rooms
HOSTILE_EVERY = int(os.environ.get("HOSTILE_EVERY", 12))
LIMIT_KIB = 256 * 1024
SOAP = ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
        'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Body>{}</s:Body></s:Envelope>')
FIND = ('<m:FindItemResponse><m:ResponseMessages><m:FindItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        '<m:RootFolder TotalItemsInView="{n}" IncludesLastItemInRange="true"><t:Items>{items}</t:Items></m:RootFolder></m:FindItemResponseMessage>'
        '</m:ResponseMessages></m:FindItemResponse>')
ITEM = ('<t:CalendarItem><t:ItemId Id="{id}" ChangeKey="{id}"/><t:Subject>{subject}</t:Subject><t:UID>{id}</t:UID><t:Start>2026-12-02T09:00:00Z</t:Start>'
        '<t:End>2026-12-02T10:00:00Z</t:End><t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus><t:CalendarItemType>Single</t:CalendarItemType></t:CalendarItem>')


def items(count, length):
    return SOAP.format(FIND.format(n=count, items="".join(ITEM.format(id=f"A{n:06}", subject="x" * length) for n in range(count)))).encode()


def hostile_bodies():
    """(name, headers, body); a body of None never ends."""
    xml = {"Content-Type": "text/xml; charset=utf-8"}
    packed = dict(xml, **{"Content-Encoding": "gzip"})
    yield "50 MB of one subject, gzip", packed, gzip.compress(items(1, 50_000_000))
    yield "200 000 items, gzip", packed, gzip.compress(items(200_000, 10), 6)
    yield "2 000 items of 4 KB, gzip", packed, gzip.compress(items(2_000, 4_000))
    yield "7 MB, plain", xml, items(1_500, 4_500)
    yield "nesting", packed, gzip.compress(b"<a>" * 2_000_000)
    yield "a megabyte of MessageText", xml, SOAP.format(
        '<s:Fault><faultcode>s:Server</faultcode><faultstring>' + "y" * 1_000_000 + '</faultstring></s:Fault>').encode()
    yield "never ends", xml, None


BODIES = list(hostile_bodies())


class Proxy:
    def __init__(self, host, port):
        self.upstream, self.seen, self.hostile = (host, port), 0, 0

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
                body = await reader.readexactly(length)
                self.seen += 1
                if b"FindItem" in body and self.seen % HOSTILE_EVERY == 0:
                    await self.answer_hostile(writer)
                    return
                await self.pass_on(head, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            pass
        finally:
            writer.close()

    async def answer_hostile(self, writer):
        self.hostile += 1
        name, headers, body = BODIES[self.hostile % len(BODIES)]
        lines = "".join(f"{field}: {value}\r\n" for field, value in headers.items())
        if body is not None:
            writer.write(f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
            await writer.drain()
            return
        writer.write(f"HTTP/1.1 200 OK\r\n{lines}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        for _ in range(4_000):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)

    async def pass_on(self, head, body, writer):
        """Each request has a connection of its own to the simulator, which ends with the answer."""
        up_reader, up_writer = await asyncio.open_connection(*self.upstream)
        try:
            up_writer.write(head + body)
            await up_writer.drain()
            answer = await up_reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            fields = answer.lower().split(b"\r\n")
            length = next((int(field.split(b":")[1]) for field in fields if field.startswith(b"content-length:")), None)
            if length is not None:
                writer.write(await up_reader.readexactly(length))
                return await writer.drain()
            while True:  # chunked: a stream of notifications, perhaps
                size = await up_reader.readline()
                chunk = await up_reader.readexactly(int(size.split(b";")[0], 16) + 2)
                writer.write(size + chunk)
                await writer.drain()
                if size.strip() == b"0":
                    return
        finally:
            up_writer.close()


def start(*args, env=None, cwd=None):
    return subprocess.Popen([ADJOURN, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, cwd=cwd, text=True)


def read_json(stream):
    text = ""
    while True:
        text += stream.readline()
        try:
            return json.loads(text)
        except ValueError:
            pass


def high_water(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1])


async def ask(at, token, method, path, body=None):
    reader, writer = await asyncio.open_connection(*at)
    data = body or b""
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: adjourn\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                 f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")


async def listen(at, token, heard):
    reader, writer = await asyncio.open_connection(*at)
    writer.write(f"GET /v1/events HTTP/1.1\r\nHost: adjourn\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n".encode())
    status = await reader.readline()
    heard[status.split(b" ")[1].decode()] = heard.get(status.split(b" ")[1].decode(), 0) + 1
    try:
        while await reader.read(65536):
            pass
    finally:
        writer.close()


def pattern(number):
    return "*@example.com" if number % 20 == 0 else f"room-0{number % 50:02}*@example.com"


def evidence(room, number):
    """The largest body there may be: many signs for one room with long names of events."""
    signs = [{"room": room, "source": f"motion-{number}-{n}", "event": f"{number}-{n}-" + "e" * 1_800} for n in range(500)]
    return json.dumps({"signs": signs}).encode()


async def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    simulator = start("sim", "--rooms", str(ROOMS), "--json")
    where = read_json(simulator.stdout)
    host, port = where["url"].split("/")[2].split(":")
    proxy = Proxy(host, int(port))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 20)
    state = tempfile.mkdtemp(prefix="adjourn-memory-")
    rooms = where["rooms"][:ROOMS]
    config = os.path.join(state, "adjourn.toml")
    with open(config, "w") as file:
        file.write(f'[server]\nurl = "http://127.0.0.1:{server.sockets[0].getsockname()[1]}/EWS/Exchange.asmx"\nusername = "{where["username"]}"\n'
                   f"[scope]\nrooms = {json.dumps(rooms)}\n")
    env = dict(os.environ, ADJOURN_PASSWORD=where["password"], ADJOURN_LOG="error", ADJOURN_STATE_DIR=os.path.join(state, "state"))
    tokens = []
    for number in range(KEYS):
        made = subprocess.run([ADJOURN, "--config", config, "--json", "key", "add", f"key-{number}", "--rooms", pattern(number)], env=env, capture_output=True, text=True, check=True)
        tokens.append(json.loads(made.stdout)["token"])
    service = start("--config", config, "serve", "--listen", "127.0.0.1:0", env=env)
    try:
        line = await asyncio.to_thread(service.stdout.readline)
        at = line.strip().removeprefix("http://").split(":")
        print(f"started: {high_water(service.pid)} KiB", flush=True)
        heard = {}
        listeners = [asyncio.create_task(listen(at, tokens[n % KEYS], heard)) for n in range(LISTENERS)]
        begun = time.monotonic()
        while time.monotonic() - begun < 240:
            await asyncio.sleep(5)
            status, text = await ask(at, tokens[0], "GET", "/v1/rooms?limit=500")
            if proxy.hostile >= ROOMS / HOSTILE_EVERY * 0.9:
                break
        print(f"{proxy.seen} requests to Exchange, {proxy.hostile} of them with a hostile answer; listeners by status {heard}: {high_water(service.pid)} KiB", flush=True)
        answers = {}
        for number in range(300):
            status, _ = await ask(at, tokens[number % 5 * 20], "POST", "/v1/evidence", evidence(rooms[number % 50], number))
            answers[status] = answers.get(status, 0) + 1
        print(f"300 requests with 500 signs of 1.8 KB each, by status {answers}: {high_water(service.pid)} KiB", flush=True)
        reads = await asyncio.gather(*(ask(at, tokens[n % KEYS], "GET", f"/v1/rooms/{random.choice(rooms)}") for n in range(0, 4_000, 20)))
        print(f"200 rooms asked for, by status { {status: sum(1 for got, _ in reads if got == status) for status, _ in reads} }", flush=True)
        used = high_water(service.pid)
        print(f"VmHWM {used} KiB of {LIMIT_KIB} KiB allowed: {'held' if used <= LIMIT_KIB else 'NOT held'}")
        alive = sum(not task.done() for task in listeners)
        print(f"{alive} of {LISTENERS} listeners still listen")
        for task in listeners:
            task.cancel()
        return used <= LIMIT_KIB and alive >= LISTENERS * 0.99
    finally:
        service.send_signal(signal.SIGTERM)
        simulator.send_signal(signal.SIGINT)
        service.wait(60)
        simulator.wait(60)
        server.close()


async def run():
    held = await main()
    sys.stdout.flush()
    os._exit(0 if held else 1)  # connections of the proxy may be open still


asyncio.run(run())
