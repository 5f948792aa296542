import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
from more import Service
# A key of a door, with the default rights, reports evidence as fast as it may: the largest bodies, another event in every sign, in two
# hundred rooms. Then the service is killed and starts again with its store.
LIMIT_KIB, MIB = 256 * 1024, 1 << 20
rooms = [f"room{n}@example.com" for n in range(200)]
c = Case(World([]), rooms=rooms)
made = subprocess.run([BIN, "--config", c.config, "--state-dir", c.state, "key", "add", "door", "--per-minute", "100000", "--json"],
                      capture_output=True, env=c.env, timeout=30)
door = {"Authorization": "Bearer " + json.loads(made.stdout)["token"], "Content-Type": "application/json"}
s = Service(c)


def numbers():
    _, text, _ = s.raw("GET", "/metrics", say=False)
    return {name: float(re.search(rf"^adjourn_evidence_{name} (\S+)$", text, re.M).group(1)) for name in ("signs", "bytes")}


def high_water():
    return int(re.search(r"^VmHWM:\s+(\d+)", open(f"/proc/{s.p.pid}/status").read(), re.M).group(1))


answers, reason = {}, ""
for turn in range(60):
    number = range(turn * 480, turn * 480 + 480)
    signs = [{"room": rooms[n % 200], "event": f"{n:02000}", "source": "motion"} for n in number]
    status, got, head = s.raw("POST", "/v1/evidence", {"signs": signs}, headers=door, auth=False, say=False)
    answers[status] = answers.get(status, 0) + 1
    if status == 429:
        reason = got["type"] + " Retry-After " + head.get("retry-after", "none")
        break
c.say(f"answers by status: {answers}; {reason}")
c.expect("evidence-full" in reason and "none" not in reason, "the answer names the full share of the key, and when to try again")
kept = numbers()
c.say(f"kept: {kept}, VmHWM {high_water()} KiB")
c.expect(kept["bytes"] <= 40 * MIB and high_water() <= LIMIT_KIB, "what is kept of one key has its limit, in memory too")
s.p.kill()
s.p.wait()
s.begin()
again = numbers()
c.say(f"begun again: {again}, VmHWM {high_water()} KiB")
c.expect(again["signs"] == kept["signs"] and high_water() <= LIMIT_KIB, "a new start loads what was kept, and no more")
status, got, _ = s.raw("POST", "/v1/evidence", {"signs": [{"room": rooms[0], "source": "badge"}]}, headers={"Content-Type": "application/json"})
c.expect(status == 200 and got["accepted"] == 1, "another key's sign is taken")
s.close()
c.end()
