import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# Ids that name nothing: cut off, mistyped, of a folder, never seen. The server reports it by many codes, none of which means "done".
t = minute(now())
meeting = Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))
w = World([meeting])
CODES = {"cutoff": "ErrorInvalidId", "typo": "ErrorInvalidIdMalformed", "old": "ErrorInvalidIdMalformedEwsLegacyIdFormat",
         "long": "ErrorInvalidIdMonikerTooLong", "folder": "ErrorCannotUseFolderIdForItemId", "never": "ErrorItemNotFound"}


def strict(ask, world):
    if ask.op == "GetItem":
        for id, code in CODES.items():
            if f'Id="{id}"' in ask.text:
                return Reply(200, answer("GetItem", "<m:Items/>", "Error", code))


w.hook(strict)
c = Case(w)
for id in CODES:
    for word in ("end", "delete"):
        got = c.run(word, ROOM, "--event", id)
        c.expect(got.rc == 1 and "already" not in got.all, f"`{word}` of the id `{id}` is refused (exit 1), not called done")
c.expect(meeting in w.items and not w.ops("UpdateItem", "CreateItem", "DeleteItem"), "nothing was written")
c.end()
