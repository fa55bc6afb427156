#!/usr/bin/env python3
"""jobs.py - jobs over the socket beside a store: a worker as another process of this machine has them."""
import json

from control import call, connect, here, owner
from harness import case, cases, main, until

WORK = """document: {dsl: 1.0.3, namespace: t, name: work, version: 1.0.0}
do: [{work: {call: paint, with: {n: '${ .n }'}}}]
"""
cases.clear()  # those of control.py, whose means are used here


def begin(room, count):
    owner(room)
    answer = call(here(room), {"command": "deploy", "text": WORK})
    assert answer["findings"][0]["code"] == "function-not-registered" and not answer["findings"][0]["error"], answer
    return [call(here(room), {"command": "start", "name": "t/work", "input": {"n": n}})["ok"]["id"] for n in range(count)]


def polls(room):
    functions = call(here(room), {"command": "jobs"})["ok"]["functions"]
    return functions[0]["polls"] if functions else 0


@case("a job is polled and done")
def _(room):
    begin(room, 1)
    poll = {"command": "poll", "functions": ["paint"], "waitMs": 60000, "leaseMs": 60000, "actor": "brush"}
    job = call(here(room), poll)["ok"]["jobs"][0]
    assert job["input"] == {"n": 0} and job["attempt"] == 1, job
    listed = call(here(room), {"command": "jobs", "function": "paint"})["ok"]["jobs"]
    assert [one["worker"] for one in listed] == ["brush"], listed
    assert call(here(room), {"command": "complete-job", "token": job["token"], "result": 1}) == {"ok": {"repeated": False}}
    assert call(here(room), {"command": "complete-job", "token": job["token"], "result": 1}) == {"ok": {"repeated": True}}
    over = call(here(room), {"command": "fail-job", "token": job["token"], "status": 500})
    assert over["error"]["code"] == "lost" and over["error"]["reason"] == "job-over", over


@case("a poll whose client goes ends, and takes no job with it")
def _(room):
    begin(room, 0)
    poll = json.dumps({"command": "poll", "functions": ["paint"], "waitMs": 300000}).encode() + b"\n"
    gone = [connect(here(room)) for _ in range(3)]
    for client in gone:
        client.sendall(poll)
    until(lambda: polls(room) == 3, "three polls")
    for client in gone:
        client.close()
    until(lambda: polls(room) == 0, "their end")
    call(here(room), {"command": "start", "name": "t/work", "input": {}})
    job = call(here(room), {"command": "poll", "functions": ["paint"], "waitMs": 60000})["ok"]["jobs"][0]
    assert job["attempt"] == 1, job


@case("many answers at once, each with its own outcome, in order")
def _(room):
    begin(room, 3)
    jobs = []
    while len(jobs) < 3:
        jobs += call(here(room), {"command": "poll", "functions": ["paint"], "waitMs": 60000, "max": 3})["ok"]["jobs"]
    first, second, third = (job["token"] for job in jobs)
    told = call(here(room), {"command": "heartbeat-job", "jobs": [{"token": first, "leaseMs": 5000}, {"token": "x"}, {"leaseMs": 1}]})["ok"]
    assert told[0]["ok"]["cancelled"] is False and told[1]["error"]["reason"] == "token-not-valid", told
    assert told[2]["error"]["message"] == "'token' is missing", told
    told = call(here(room), {"command": "complete-job", "jobs": [{"token": first, "result": 1}, {"token": second, "resutl": 1}, 7,
                                                                 {"token": second, "result": {"a": [1, 2]}}]})["ok"]
    assert told[0] == told[3] == {"ok": {"repeated": False}}, told
    assert told[1]["error"]["message"] == "'complete-job' knows no member 'resutl' of a job", told
    assert told[2]["error"]["code"] == "invalid", told
    told = call(here(room), {"command": "fail-job", "jobs": [{"token": third, "status": 422, "title": "no"}]})["ok"]
    assert told == [{"ok": {"repeated": False}}], told
    for bad in ({"jobs": 1}, {"jobs": [{"token": "x"}] * 101}, {"jobs": [], "token": "x"}):
        assert call(here(room), {"command": "complete-job", **bad})["error"]["code"] == "invalid", bad


@case("a limit holds from now on")
def _(room):
    begin(room, 2)
    assert call(here(room), {"command": "job-limit", "function": "paint", "maxConcurrent": 1, "rate": 1000.5}) == {"ok": {}}
    poll = {"command": "poll", "functions": ["paint"], "waitMs": 60000, "max": 2}
    jobs = call(here(room), poll)["ok"]["jobs"]
    assert len(jobs) == 1, jobs
    assert call(here(room), {**poll, "waitMs": 0})["ok"] == {"jobs": []}
    found = call(here(room), {"command": "jobs"})["ok"]["functions"]
    assert found == [{"function": "paint", "ready": 1, "leased": 1, "unsure": 0, "parked": 0, "polls": 0,
                      "maxConcurrent": 1, "rate": 1000.5}], found
    assert call(here(room), {"command": "job-limit", "rate": -1})["error"]["code"] == "invalid"


if __name__ == "__main__":
    main()
