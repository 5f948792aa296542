// A room display on the types that openapi-typescript makes of fixtures/openapi.json: the compiler checks every path, member and value.
//
//     node display.js http://127.0.0.1:8480 adj_demo_demo room-ember@example.com room-fjord@example.com
//
// The first room is in use, the second is free.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];

const [base, key, inUse, free] = process.argv.slice(2) as [string, string, string, string];
const api = createClient<paths>({ baseUrl: base, headers: { authorization: `Bearer ${key}` } });
const of = (room: string, header?: Record<string, string>) => ({ params: { path: { room }, header } });

// The action of an answer that is done.
function done({ data, error }: { data?: Schemas["ActionView"]; error?: Schemas["Problem"] }): Schemas["ActionView"] {
  assert.equal(data?.state, "done", JSON.stringify(data ?? error));
  return data as Schemas["ActionView"];
}

const { data: page } = await api.GET("/v1/rooms", { params: { query: { limit: 1000 } } });
assert.ok(page?.rooms.some((room) => room.id === inUse) && page.next_cursor === null);

const { data: room, response } = await api.GET("/v1/rooms/{room}", of(inUse));
assert.ok(room?.current && room.allowed_actions.includes("end"), JSON.stringify(room));
assert.match(response.headers.get("ratelimit") ?? "", /^"requests";r=\d+;t=\d+$/);
const unchanged = await api.GET("/v1/rooms/{room}", of(inUse, { "If-None-Match": response.headers.get("etag") ?? "" }));
assert.equal(unchanged.response.status, 304);

const { agenda, agenda_from: from, agenda_to: to } = room;
assert.ok(agenda && agenda.some((event) => event.id === room.current?.id), JSON.stringify(agenda));
const { data: day } = await api.GET("/v1/rooms/{room}/events", { params: { path: { room: inUse }, query: { from, to } } });
const listed = new Set(day?.events.map((event) => event.id));
assert.ok(agenda.every((event) => listed.has(event.id)), JSON.stringify(day));

const { data: checkedIn } = await api.POST("/v1/rooms/{room}/check-in", { ...of(inUse), body: { source: "panel" } });
assert.equal(checkedIn?.event.id, room.current.id);

const { id: event, start, end } = room.current;
const once = of(inUse, { "Idempotency-Key": "generated-typescript-1", Prefer: "wait=20" });
const ended = done(await api.POST("/v1/rooms/{room}/end", { ...once, body: { event, seen: { start, end } } }));
assert.equal(ended.change?.kind, "ended");
const again = done(await api.POST("/v1/rooms/{room}/end", { ...once, body: { event, seen: { start, end } } }));
assert.ok(again.repeated && again.id === ended.id);
const undone = done(await api.POST("/v1/actions/{action}/undo", { params: { path: { action: ended.id } } }));
assert.equal(undone.change?.kind, "end-restored");
assert.equal(undone.change?.end, end);

const booked = done(await api.POST("/v1/rooms/{room}/book", { ...of(free), body: { minutes: 15 } }));
assert.equal(booked.change?.kind, "booked");
const { error: taken } = await api.POST("/v1/rooms/{room}/book", { ...of(free), body: { minutes: 15 } });
const collides: Schemas["ProblemType"] = "urn:adjourn:problem:collides";
assert.deepEqual([taken?.type, taken?.status, taken?.fault], [collides, 409, "nobody"]);
done(await api.POST("/v1/rooms/{room}/delete", of(free)));

// The data of an event, by the schema that `x-event-stream` names.
const stop = new AbortController();
const stream = await fetch(`${base}/v1/events`, { headers: { authorization: `Bearer ${key}` }, signal: stop.signal });
let text = "";
for await (const part of stream.body!.pipeThrough(new TextDecoderStream())) {
  text += part;
  if (/^id: /m.test(text)) break;
}
stop.abort();
const rooms = [...text.matchAll(/^event: room\ndata: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as Schemas["RoomView"]);
assert.ok(rooms.some((shown) => shown.id === inUse && shown.current?.id === event), text);

const { error: malformed } = await api.POST("/v1/rooms/{room}/book", { ...of(free), body: { minutes: 0 } });
assert.deepEqual(malformed?.errors.map((error) => error.pointer), ["/minutes"]);
console.log("openapi-typescript: a display's day went as it should");
