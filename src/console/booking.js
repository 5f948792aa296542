// The dialogs in which a person at a door chooses a time: the start of a booking, its length, and a new end. They return the choice and
// send nothing.

import { lengthsOf } from "./day.js";
import { choose } from "./dom.js";
import { message, minutesLength } from "./language.js";
import { clock } from "./time.js";

const MINUTE = 60_000;

// Asks when a booking starts; resolves to the time, or null.
export async function chooseStart(starts, now, zone) {
  const text = (start) => (start <= now ? message("now") : clock(start, zone));
  const choices = starts.map((start) => ({ text: text(start), value: String(start) }));
  const chosen = await choose(message("chooseStart"), null, choices, message("cancel"));
  return chosen && Number(chosen);
}

// Asks how long a booking, or an event that ends at `from`, lasts; `limit` is the start of the next event, or null. Resolves to the
// minutes from `from`, or null.
export async function chooseLength(question, from, limit, zone) {
  const choices = lengthsOf(from, limit).map(({ minutes, untilNext }) => {
    const end = clock(from + minutes * MINUTE, zone);
    return { text: `${end} · ${untilNext ? message("untilNext") : minutesLength(minutes)}`, value: String(minutes) };
  });
  const chosen = await choose(question, null, choices, message("cancel"));
  return chosen && Number(chosen);
}
