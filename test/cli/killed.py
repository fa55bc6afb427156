"""killed.py - the server is killed in the middle of a command, at each point that the command passes, and started again; the
client repeats its request, as clients do. The command has its effect once.

    kill_at_every_point(room, prepare, request, effect)

    prepare(web)          what must be there before; what it gives is given to the two others
    request(web, made)    the command; its answer is the same whenever it is repeated
    effect(web, made)     whether it has its effect once
"""
import http.client
import os
import shutil
import signal

from harness import Skip
from web import serve

KEY = {"Idempotency-Key": "once"}
LONG = os.environ.get("PAWL_TEST_LONG") == "1"
TURNS = 8 if LONG else 3  # how often a point is passed before it kills, at most


def entries(web, one, kind):
    log = web.get(f"/v1/instances/{one}/log").gives(200).json["steps"]
    assert [step["sequence"] for step in log] == list(range(1, len(log) + 1)), log
    return sum(entry["type"] == kind for step in log for entry in step["entries"])


def once(path, body, kind):
    """A command of an instance, and the log entry that it makes: there is one."""
    return (lambda web, one: web.post(f"/v1/instances/{one}/" + path, body, headers=KEY).gives(200),
            lambda web, one: entries(web, one, kind) == 1)


class Store:
    """What was there before the command, to be had again for each try."""

    def __init__(self, room, prepare):
        self.room = room
        web = serve(room)
        self.made = prepare(web)
        assert web.stop().code == 0
        os.mkdir(room.path + "/before")
        for name in os.listdir(room.path):
            if name.startswith("pawl.db"):
                shutil.copy(f"{room.path}/{name}", room.path + "/before")

    def fresh(self, env=None):
        for name in os.listdir(self.room.path):
            if name.startswith("pawl.db"):
                os.remove(f"{self.room.path}/{name}")
        for name in os.listdir(self.room.path + "/before"):
            shutil.copy(f"{self.room.path}/before/{name}", self.room.path)
        return serve(self.room, env=env)


def kill_at_every_point(room, prepare, request, effect, sample=None):
    """sample: only at these points, the first time each is passed, but for PAWL_TEST_LONG."""
    store = Store(room, prepare)
    listed = room.path + "/points"
    web = store.fresh(env={"PAWL_FAULT_LIST": listed})
    first = request(web, store.made)
    assert effect(web, store.made), "without a fault"
    assert web.stop().code == 0
    if not os.path.exists(listed):
        raise Skip("this build has no fault points")
    with open(listed, encoding="utf-8") as file:
        points = sorted(set(file.read().split()))
    killed, turns, least = 0, TURNS, 5
    if sample and not LONG:
        assert set(sample) <= set(points), points
        points, turns, least = sample, 1, len(sample)
    for point in points:
        for turn in range(1, turns + 1):
            try:
                web = store.fresh(env={"PAWL_FAULT": f"{point}:{turn}"})
            except AssertionError:  # it died before it listened: the point is one of opening
                web = None
            died = web is None
            if web:
                try:
                    answer = request(web, store.made)
                    assert answer.status == first.status, answer.told()
                except (OSError, http.client.HTTPException):
                    died = True
                died = web.process.poll() is not None or died
            if web and not died:
                break  # the point was passed fewer times
            assert room.processes[-1].wait(60) == -signal.SIGKILL
            killed += 1
            again = serve(room)
            answer = request(again, store.made)
            assert answer.status in (first.status, 200, 404 if first.status == 204 else first.status), f"{point}:{turn}: {answer.told()}"
            assert effect(again, store.made), f"{point}:{turn}"
            assert again.stop().code == 0
        if web and web.process.poll() is None:
            web.process.send_signal(signal.SIGKILL)
            web.process.wait()
    print(f"# killed {killed} times, at {len(points)} points")
    assert killed >= least, f"killed {killed} times at {points}"
