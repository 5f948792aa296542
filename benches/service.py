"""Actions at a steady rate against `adjourn serve`, as displays would ask for them. Standard library only.

    python3 benches/service.py http://127.0.0.1:8480 KEY --rate 500 --seconds 60

Each room's meeting is ended and the end is taken back, again and again; a free room is booked and given back. Latency is
counted from the moment an action was due, so that a server that falls behind cannot hide it. At the end every answer that
was given is held against the record.
"""

import argparse
import asyncio
import json
import time

options = argparse.ArgumentParser()
options.add_argument("url")
options.add_argument("key")
options.add_argument("--rate", type=int, default=500)
options.add_argument("--seconds", type=int, default=60)
options.add_argument("--connections", type=int, default=96)
options = options.parse_args()
host, port = options.url.split("//")[1].split(":")


class Connection:
    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(host, int(port))
        return self

    async def ask(self, method, path, body=b""):
        self.writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {options.key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
        status = int((await self.reader.readline()).split()[1])
        length = 0
        while (line := await self.reader.readline()) != b"\r\n":
            name, value = line.split(b":", 1)
            if name.lower() == b"content-length":
                length = int(value)
        return status, json.loads(await self.reader.readexactly(length)) if length else None


async def rooms(connection):
    found, cursor = [], ""
    while True:
        _, page = await connection.ask("GET", f"/v1/rooms?limit=1000{cursor}")
        found += [entry["room"] for entry in page["rooms"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def main():
    pool = asyncio.Queue()
    for _ in range(options.connections):
        pool.put_nowait(await Connection().open())
    connection = await pool.get()
    queue = asyncio.Queue()
    for room in await rooms(connection):
        queue.put_nowait((room, None, "end"))
    pool.put_nowait(connection)
    took, statuses, answered, late = [], {}, [], 0

    async def act(due):
        room, undo, ask = await queue.get()
        connection = await pool.get()
        if undo:
            status, said = await connection.ask("POST", f"/v1/actions/{undo}/undo")
        else:
            body = b'{"minutes":5}' if ask == "book" else b""
            status, said = await connection.ask("POST", f"/v1/rooms/{room}/{ask}", body)
        pool.put_nowait(connection)
        took.append(time.perf_counter() - due)
        name = status if status == 200 else f"{status} {said.get('type', '').split(':')[-1]}"
        statuses[name] = statuses.get(name, 0) + 1
        if status == 200:
            answered.append(said["action"])
        undo = said["action"] if status == 200 and not undo else None
        other = {"end": "book", "book": "end"}[ask] if status == 409 else ask
        queue.put_nowait((room, undo, other))

    begun, tasks = time.perf_counter(), []
    for number in range(options.rate * options.seconds):
        due = begun + number / options.rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(act(due)))
    await asyncio.gather(*tasks)
    seconds = time.perf_counter() - begun
    took.sort()
    at = lambda share: 1000 * took[min(len(took) - 1, int(share * len(took)))]
    print(f"{len(took)} actions in {seconds:.1f} s: {len(took) / seconds:.0f}/s")
    print(f"p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, max {took[-1] * 1000:.1f} ms")
    print("answers:", dict(sorted(statuses.items(), key=str)))

    recorded, cursor = set(), ""
    connection = await pool.get()
    while True:
        _, page = await connection.ask("GET", f"/v1/actions?state=done&limit=500{cursor}")
        recorded |= {action["action"] for action in page["actions"]}
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    lost = [action for action in answered if action not in recorded]
    print(f"{len(answered)} answered with 200, {len(lost)} of them not on record")
    assert not lost


asyncio.run(main())
