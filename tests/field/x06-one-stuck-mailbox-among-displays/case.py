import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# One mailbox of the building takes requests and does not answer. Its display asks every second; the displays of the other rooms must not
# feel it, and its own has an answer each time.
ROOMS = [f"room{n}@example.com" for n in range(1, 5)]
STUCK = ROOMS[0]
house = House(ROOMS)
for r in ROOMS:
    house.rooms[r].items.append(Item(start=minute(now()) - timedelta(minutes=3), end=minute(now()) + timedelta(minutes=57)))
stuck = [False]
inside = house.serve
def serve(ask):
    if stuck[0] and ask.mailbox == STUCK:
        time.sleep(60)
        return Reply(503, b"", close=True)
    return inside(ask)
house.serve = serve
c = fresh(house, rooms=ROOMS, config='[live]\nmode = "on-demand"\n[api]\nmax_state_age_s = 0\ndeadline_s = 2\n')
s = Service(c)
try:
    st, _, _ = s.raw("GET", f"/v1/rooms/{ROOMS[1]}", say=False)
    c.expect(st == 200, "before: a room answers")
    stuck[0] = True
    threads = []
    def display():
        t0 = time.time()
        st, said, got = s.raw("GET", f"/v1/rooms/{STUCK}", say=False)
        took.append((st, time.time() - t0, got.get("retry-after")))
    took = []
    for _ in range(12):
        threads.append(threading.Thread(target=display))
        threads[-1].start()
        time.sleep(0.1)
    for r in ROOMS[1:] * 2:
        t0 = time.time()
        st, said, _ = s.raw("GET", f"/v1/rooms/{r}", say=False)
        c.expect(st == 200 and time.time() - t0 < 2, f"{r} is shown at once ({time.time() - t0:.1f} s)")
    for one in threads:
        one.join()
    c.expect(len(took) == 12 and all(st == 503 and t < 5 and again for st, t, again in took), f"the stuck room: 503 with Retry-After, each within 5 s: {took[:3]}")
    c.expect(len([a for a in house.log if a.mailbox == STUCK]) <= 3, "and a dozen displays of it cost its server no dozen requests")
finally:
    s.close()
c.end()
