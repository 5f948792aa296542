import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# A list of rooms from a spreadsheet: a byte order mark, a header, one address with a blank in it. The bad lines are named, the other
# rooms are looked at, and the exit code says that it was a part.
t = minute(now())
w = World([Item(start=t, end=t + timedelta(hours=1))])
c = fresh(w, config="[cleanup]\ncancelled_leftover = true\n")
path = os.path.join(c.tmp, "rooms.txt")
open(path, "wb").write("\ufeff".encode() + f"{ROOM}\nAddress\nroom 2@example.com\n# a comment\n".encode())
got = c.run("cleanup", "--rooms", path, "--json")
c.expect([r["room"] for r in got.json().get("rooms", [])] == [ROOM], "the room on the first line, behind the byte order mark, is looked at")
c.expect("rooms.txt:2" in got.err and "rooms.txt:3" in got.err, "both lines that are no address are named")
c.expect(got.rc == 6, f"exit 6: a part of the named rooms (was {got.rc})")
open(path, "w").write("nonsense\n")
got = c.run("cleanup", "--rooms", path)
c.expect(got.rc == 2, "a file without any address is an error")
got = c.run("key", "add", "door", "--rooms", "berlin")
c.expect(got.rc == 2 and "berlin" in got.err, "a key for a pattern that matches no address is not made")
c.end()
