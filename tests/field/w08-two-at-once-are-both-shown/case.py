import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 15))
ada = Item("Ada", start=hm(10), end=hm(11), organizer=("Ada Lovelace", "ada@example.com"))
bob = Item("Secret", start=hm(9), end=hm(12), organizer=("Bob", "bob@example.com"), sensitivity="Private")
note = Item("Notes", start=hm(0), end=hm(0, day=1), all_day=True, meeting=False, state=0, response="Organizer", is_organizer=True, free_busy="Free")
w = World([note, bob, ada])
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nshow_subjects = true\nmax_state_age_s = 0\n'); c.env.update(k.env())
s = Service(c)
try:
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect([e["id"] for e in room["current_events"]] == [ada.id, bob.id] and room["current"]["id"] == ada.id, "the state lists both, the last begun first")
    st, said = s.ask("POST", f"/v1/rooms/{ROOM}/end")
    c.expect(st == 422 and said["type"] == "urn:adjourn:problem:ambiguous", "End without a name is ambiguous")
    found = {one["id"]: one for one in said.get("candidates") or []}
    c.expect(sorted(found) == sorted([ada.id, bob.id]), "the candidates are fields, and the note is none")
    c.expect(found.get(ada.id, {}).get("subject") == "Ada" and found[ada.id]["organizer"] == "Ada Lovelace" and found[ada.id]["start"] == z(hm(10)), "a candidate has its times and names")
    c.expect(bob.id in found and found[bob.id].get("subject") is None and found[bob.id].get("organizer") is None, "a private one has no names")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/end", {"event": bob.id})
    c.expect(st == 200 and bob.end == hm(10, 15) and ada.end == hm(11), "the one that is named is ended")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/end")
    c.expect(st == 200 and ada.end == hm(10, 15), "then End means the other")
finally:
    s.close()
c.end()
