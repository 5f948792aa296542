// The rooms nearby that are free now, shown while this room is taken: rooms of the same building, the nearest first, as the service
// orders them. This module requests them seldom, and shows a few as buttons.

import { request } from "./api.js";
import { el, setChildren, setText } from "./dom.js";
import { message } from "./language.js";
import { nameOf } from "./room.js";

const FREE_FOR_MINUTES = 30;
const ROOMS_MAX = 3;
const REQUEST_AGAIN_AFTER = 60_000;

// The rooms to show, of the free rooms of this building that the service lists: the nearest, without this room itself.
export const nearest = (rooms, own) => rooms.filter(({ id }) => id !== own.id).slice(0, ROOMS_MAX);

// Creates the list. `draw(room)` requests and shows the rooms near this one while it is taken, and nothing for null; a room whose building
// is not known is near to none. `refresh()` requests them again at the next draw. A press on one calls `onPress(room)`.
export function nearbyRooms(onPress) {
  const heading = el("h2", {});
  const list = el("div", { class: "rooms" });
  const node = el("section", { class: "nearby", hidden: true }, heading, list);
  let taken = null; // the room that others are shown for
  let rooms = [];
  let requestedAt = 0;
  let loads = 0; // numbers the requests: a late response to an earlier one may still have a booked room as free
  let refused = false; // the key may not list rooms

  async function load(room) {
    requestedAt = Date.now();
    const number = ++loads;
    const { id, building } = room;
    const query = new URLSearchParams({ state: "free", free_for: FREE_FOR_MINUTES, near: id, building, limit: ROOMS_MAX + 1 });
    try {
      const page = await request("GET", `/v1/rooms?${query}`);
      if (number !== loads) return;
      rooms = nearest(page.rooms, room);
    } catch (problem) {
      if (number !== loads) return;
      rooms = []; // what was free a while ago may be taken
      refused = problem.status >= 400 && problem.status < 429;
    }
    show();
  }

  function show() {
    setText(heading, message("freeNearby"));
    setChildren(list, ...rooms.map((room) => el("button", { onclick: () => onPress(room) }, text(room))));
    node.hidden = !taken || rooms.length === 0;
  }

  function draw(room) {
    taken = room?.building && !refused ? room : null;
    if (!taken) [node.hidden, requestedAt] = [true, 0];
    else if (Date.now() - requestedAt > REQUEST_AGAIN_AFTER) load(room);
  }

  // Hides the rooms until they are requested again.
  function refresh() {
    [rooms, requestedAt] = [[], 0];
    loads += 1;
    show();
  }

  return { node, draw, refresh };
}

// Cirrus (6)
const text = (room) => (Number.isInteger(room.capacity) ? `${nameOf(room)} (${room.capacity})` : nameOf(room));
