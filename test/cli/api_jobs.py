#!/usr/bin/env python3
"""Jobs over HTTP: polls that wait without a thread, answers one by one and in arrays, and workers that go away."""
from harness import RETRIED, Room, case, main, until
from web import serve

Room.settings = RETRIED  # what may be tried again is

WORK = """
document: { dsl: '1.0.3', namespace: t, name: work, version: '1.0.0' }
do: [ { work: { call: paint, with: { colour: "${ .colour }" } } } ]
"""
POLL = {"functions": ["paint"], "waitMs": 30000, "leaseMs": 60000}


def output_of(web, one):
    return web.get(f"/v1/instances/{one}/output?wait=30s").gives(200).json


@case("a job is polled, done, and its result is the task's")
def _(room):
    web = serve(room)
    web.deploy(WORK)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    one = web.start("t/work", input={"colour": "red"}, headers={"X-Correlation-ID": "c-1", "traceparent": trace})["id"]
    job = web.post("/v1/jobs/poll", POLL).gives(200).json["jobs"][0]
    assert job["function"] == "paint" and job["input"] == {"colour": "red"} and job["instance"] == one and job["attempt"] == 1, job
    assert job["correlation"] == "c-1" and job["traceparent"].split("-")[1] == trace.split("-")[1], job
    alive = web.post("/v1/jobs/heartbeat", {"token": job["token"], "leaseMs": 60000, "progress": {"done": 1}}).gives(200).json
    assert alive["cancelled"] is False and alive["leaseUntil"], alive
    listed = web.get("/v1/jobs?function=paint").gives(200).json["jobs"]
    assert listed[0]["state"] == "leased" and listed[0]["progress"] == {"done": 1} and listed[0]["worker"] == "anonymous", listed
    assert web.post("/v1/jobs/complete", {"token": job["token"], "result": {"painted": "red"}}).gives(200).json["repeated"] is False
    assert output_of(web, one) == {"painted": "red"}
    assert web.post("/v1/jobs/complete", {"token": job["token"], "result": {"painted": "red"}}).gives(200).json["repeated"] is True
    web.post("/v1/jobs/complete", {"token": job["token"], "result": 2}).problem(409, "job-over")
    web.post("/v1/jobs/complete", {"token": job["token"][:-1] + ("A" if job["token"][-1] != "A" else "B"), "result": 2}).problem(400, "token-not-valid")
    web.post("/v1/jobs/complete", {"token": "x"}).problem(400, "token-not-valid")
    web.post("/v1/jobs/complete", {"result": 1}).gives(400)


@case("a job that fails comes again if it may, and else is the workflow's error")
def _(room):
    web = serve(room)
    web.deploy(WORK)
    one = web.start("t/work", input={})["id"]
    job = web.post("/v1/jobs/poll", POLL).gives(200).json["jobs"][0]
    web.post("/v1/jobs/fail", {"token": job["token"], "status": 503, "title": "busy", "retryable": True, "retryAfterMs": 1}).gives(200)
    job = web.post("/v1/jobs/poll", POLL).gives(200).json["jobs"][0]
    assert job["attempt"] == 2 and job["lastError"]["status"] == 503, job
    web.post("/v1/jobs/fail", {"token": job["token"], "status": 422, "title": "no red", "detail": "none left"}).gives(200)
    shown = web.get(f"/v1/instances/{one}?wait=30s").gives(200).json
    assert shown["status"] == "faulted" and shown["error"]["status"] == 422 and shown["error"]["title"] == "no red", shown


@case("several answers travel in one array, each with its own outcome, in order")
def _(room):
    web = serve(room)
    web.deploy(WORK)
    ids = [web.start("t/work", input={"n": n})["id"] for n in range(3)]
    jobs = []
    while len(jobs) < 3:
        jobs += web.post("/v1/jobs/poll", {**POLL, "max": 10}).gives(200).json["jobs"]
    alive = web.post("/v1/jobs/heartbeat", [{"token": job["token"]} for job in jobs] + [{"token": "x"}]).gives(200).json
    assert [list(one) for one in alive] == [["ok"]] * 3 + [["error"]], alive
    told = web.post("/v1/jobs/complete", [{"token": jobs[0]["token"], "result": 0}, {"token": "none"}, {"token": jobs[1]["token"], "result": 1, "x": 1},
                                          {"token": jobs[1]["token"], "result": 1}]).gives(200).json
    assert told[0] == {"ok": {"repeated": False}} and told[3] == {"ok": {"repeated": False}}, told
    assert told[1]["error"]["reason"] == "token-not-valid" and told[2]["error"]["code"] == "invalid", told
    assert web.post("/v1/jobs/fail", [{"token": jobs[2]["token"], "title": "no"}]).gives(200).json[0] == {"ok": {"repeated": False}}
    done = {job["instance"]: web.get(f"/v1/instances/{job['instance']}?wait=30s").json["status"] for job in jobs}
    assert sorted(done) == sorted(ids) and sorted(done.values()) == ["completed", "completed", "faulted"], done
    for body, word in (([], "1 to 100"), ([{"token": "x"}] * 101, "1 to 100"), ([1], "item 1"), ([{"token": "x"}, None], "item 2")):
        web.post("/v1/jobs/complete", body).problem(400, "bad-body").says(word)
    web.post("/v1/jobs/complete", [{"token": "x"}], headers={"Idempotency-Key": "k"}).problem(400, "bad-header")


@case("a poll waits for its first job, and many polls wait without a thread")
def _(room):
    web = serve(room, settings={"Server:Workers": 2})
    web.deploy(WORK)
    polls = [web.later("POST", "/v1/jobs/poll", POLL) for _ in range(20)]
    until(lambda: (web.get("/v1/jobs").json["functions"] or [{"polls": 0}])[0]["polls"] == 20, "twenty polls")
    ids = [web.start("t/work", input={})["id"] for _ in range(20)]
    jobs = [job for poll in polls for job in poll().gives(200).json["jobs"]]
    assert sorted(job["instance"] for job in jobs) == sorted(ids)


@case("a poll for which nothing came answers an empty list")
def _(room):
    web = serve(room, settings={"Server:MaxWait": "00:00:00.1"})
    assert web.post("/v1/jobs/poll", {"functions": ["none"]}).gives(200).json == {"jobs": []}
    assert web.post("/v1/jobs/poll", {"functions": ["none"], "waitMs": 300000}).gives(200).json == {"jobs": []}
    assert web.post("/v1/commands", {"command": "poll", "functions": ["none"], "waitMs": 10}).gives(200).json == {"ok": {"jobs": []}}


@case("a poll says what is wrong with it")
def _(room):
    web = serve(room)
    for body, word in (({}, "functions"), ({"functions": []}, "functions"), ({"functions": "paint"}, "functions"), ({"functions": [1]}, "functions"),
                       ({"functions": [""]}, "functions"), ({"functions": ["a"] * 101}, "functions"), ({"functions": ["a"], "max": 101}, "max"),
                       ({"functions": ["a"], "max": "1"}, "max"), ({"functions": ["a"], "waitMs": -1}, "waitMs"),
                       ({"functions": ["a"], "leaseMs": 3600001}, "leaseMs"), ({"functions": ["a"], "worker": 7}, "worker"),
                       ({"functions": ["a"], "waitms": 1}, "waitms")):
        web.post("/v1/jobs/poll", body).problem(400, "bad-body").says(word)


@case("jobs that would go to a client that has gone go to the next one")
def _(room):
    web = serve(room)
    web.deploy(WORK)
    gone = [web.connect() for _ in range(5)]
    for connection in gone:
        web.send(connection, "POST", "/v1/jobs/poll", POLL)
    until(lambda: (web.get("/v1/jobs").json["functions"] or [{"polls": 0}])[0]["polls"] == 5, "five polls")
    for connection in gone:
        connection.close()
    one = web.start("t/work", input={})["id"]
    job = web.post("/v1/jobs/poll", POLL).gives(200).json["jobs"][0]
    assert job["instance"] == one and job["attempt"] == 1, job


@case("a server that stops answers its polls with nothing")
def _(room):
    web = serve(room)
    polls = [web.later("POST", "/v1/jobs/poll", POLL) for _ in range(3)]
    until(lambda: (web.get("/v1/jobs").json["functions"] or [{"polls": 0}])[0]["polls"] == 3, "three polls")
    assert web.stop().code == 0
    assert [poll().gives(200).json for poll in polls] == [{"jobs": []}] * 3


@case("a limit holds for a function from the moment it is set")
def _(room):
    web = serve(room)
    web.deploy(WORK)
    web.post("/v1/jobs/limit", {"function": "paint", "maxConcurrent": 1}).gives(200)
    for _ in range(2):
        web.start("t/work", input={})
    until(lambda: web.get("/v1/jobs").json["functions"] and web.get("/v1/jobs").json["functions"][0]["ready"] == 2, "two jobs")
    first = web.post("/v1/jobs/poll", {**POLL, "max": 10}).gives(200).json["jobs"]
    assert len(first) == 1, first
    assert web.post("/v1/jobs/poll", {**POLL, "waitMs": 0}).gives(200).json["jobs"] == []
    web.post("/v1/jobs/complete", {"token": first[0]["token"]}).gives(200)
    assert len(web.post("/v1/jobs/poll", POLL).gives(200).json["jobs"]) == 1
    web.post("/v1/jobs/limit", {"function": "paint", "maxConcurrent": -1}).gives(400)


if __name__ == "__main__":
    main()
