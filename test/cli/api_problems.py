#!/usr/bin/env python3
"""Every reason why something is not done has a code of its own, a status, and what to do about it."""
import re

from harness import ROOT, case, main, until
from service import Service
from web import serve

HELLO = """
document: { dsl: '1.0.3', namespace: t, name: hello, version: '1.0.0' }
do: [ { greet: { set: { hello: "${ .who }" } } } ]
"""
ASK = """
document: { dsl: '1.0.3', namespace: t, name: ask, version: '1.0.0' }
do:
  - ask:
      call: userTask
      with:
        title: Yes or no?
        key: decision
        form: { schema: { type: object, properties: { yes: { type: boolean } }, required: [ yes ] } }
"""
NAP = """
document: { dsl: '1.0.3', namespace: t, name: nap, version: '1.0.0' }
do: [ { sleep: { wait: PT1H } } ]
"""
RACE = """
document: { dsl: '1.0.3', namespace: t, name: race, version: '1.0.0' }
do:
  - race:
      fork:
        compete: true
        branches:
          - one: { call: userTask, with: { title: One, key: one } }
          - two: { call: userTask, with: { title: Two, key: two } }
  - rest: { wait: PT1H }
"""
WORK = """
document: { dsl: '1.0.3', namespace: t, name: work, version: '1.0.0' }
do: [ { work: { call: paint, with: {} } } ]
"""
TOLD = """
document: {dsl: 1.0.0, namespace: t, name: told, version: 1.0.0}
do:
  - tell: {emit: {event: {with: {source: /t, type: told}}}}
"""
FAULT = """
document: { dsl: '1.0.3', namespace: t, name: fault, version: '1.0.0' }
do: [ { no: { raise: { error: { type: 'http://e/x', status: 418, title: No } } } } ]
"""
SECRET = """
document: { dsl: '1.0.3', namespace: t, name: secret, version: '1.0.0' }
do: [ { ask: { call: userTask, with: { title: Yes?, key: decision, assignedTo: ada } } } ]
"""


def reasons():
    """The codes of pawl.h, in its order."""
    with open(ROOT + "/include/pawl/pawl.h", encoding="utf-8") as file:
        text = file.read()
    table = text[text.index("#define PAWL_REASONS(X)"):text.index("typedef enum pawl_reason")]
    return [code for code in re.findall(r'X\([A-Z_]+,\s*"([^"]*)"', table) if code]


def waiting(web, name, **more):
    one = web.start("t/" + name, **more)["id"]
    until(lambda: web.get("/v1/instances/" + one).json["status"] == "waiting", "waiting")
    return "/v1/instances/" + one


@case("the manual names every code with its status")
def _(room):
    web = serve(room)
    with open(ROOT + "/doc/api.md", encoding="utf-8") as file:
        rows = re.findall(r"^\| (\d{3}) \| ([^|]*) \|", file.read(), re.M)
    written = {code for _, codes in rows for code in re.findall(r"`([^`]+)`", codes)}
    with open(ROOT + "/src/server/problem.h", encoding="utf-8") as file:
        http = re.findall(r"X\([A-Z_]+, (\d+), \"([^\"]+)\"", file.read())
    assert len(reasons()) > 20 and len(http) > 10
    assert set(reasons()) | {code for _, code in http} <= written, (set(reasons()) | {code for _, code in http}) - written
    status = {code: number for number, codes in rows for code in re.findall(r"`([^`]+)`", codes)}
    assert all(status[code] == number for number, code in http)
    web.get("/health/live").gives(200)


@case("each reason is told by its code, and what to do")
def _(room):
    web = serve(room)
    for text in (HELLO, ASK, NAP, RACE, WORK, SECRET, FAULT):
        web.deploy(text)
    told = set()

    def refused(answer, status, code):
        answer.problem(status, code)
        told.add(code)

    refused(web.get("/v1/instances/none"), 404, "no-such-instance")
    refused(web.get("/v1/definitions/t/none"), 404, "no-such-definition")
    refused(web.post("/v1/definitions", HELLO.replace("greet", "other"), kind="application/yaml"), 409, "version-exists")
    web.start("t/hello", key="k", input=1)
    refused(web.post("/v1/instances", {"name": "t/hello", "key": "k", "input": 2}), 409, "business-key-used")
    web.start("t/hello", input=1, headers={"Idempotency-Key": "i"})
    refused(web.post("/v1/instances", {"name": "t/hello", "input": 2}, headers={"Idempotency-Key": "i"}), 409, "idempotency-key-reused")
    web.post("/v1/definitions/t/hello/1.0.0/status", {"status": "archived"}).gives(200)
    refused(web.post("/v1/instances", {"name": "t/hello", "version": "1.0.0"}), 409, "not-startable")

    nap = waiting(web, "nap")
    refused(web.post(nap + "/suspend", headers={"If-Match": '"99"'}), 412, "stale-token")
    refused(web.delete(nap), 409, "instance-not-ended")
    refused(web.post(nap + "/bookmarks/none/resume"), 404, "no-such-bookmark")
    refused(web.get(nap + "/bookmarks/none"), 404, "no-such-bookmark")
    web.post(nap + "/cancel").gives(200)
    refused(web.post(nap + "/suspend"), 409, "instance-ended")

    decision = waiting(web, "ask") + "/bookmarks/decision"
    refused(web.post(decision + "/resume", {"data": {"yes": True}, "task": "/do/9/x"}), 409, "wrong-task")
    refused(web.post(decision + "/resume", {"data": {"yes": True}, "kind": "timer"}), 409, "wrong-kind")
    refused(web.post(decision + "/resume", {"data": {"yes": "perhaps"}}), 422, "answer-not-valid")
    refused(web.post(decision + "/release"), 409, "not-claimed")
    assert web.get(decision).json["open"] is True, "what was refused changed nothing"
    web.post(decision + "/resume", {"data": {"yes": True}}).gives(200)
    assert web.post(decision + "/resume", {"data": {"yes": True}}).gives(200).json["repeated"] is True
    refused(web.post(decision + "/resume", {"data": {"yes": False}}), 409, "already-answered")

    race = waiting(web, "race")
    web.post(race + "/bookmarks/one/resume", {"data": {}}).gives(200)
    refused(web.post(race + "/bookmarks/two/resume", {"data": {}}), 409, "bookmark-closed")

    fault = web.start("t/fault")["id"]
    until(lambda: web.get("/v1/incidents").json["incidents"], "an incident")
    refused(web.delete("/v1/instances/" + fault), 409, "open-incident")
    refused(web.post("/v1/instances/" + web.start("t/nap")["id"] + "/fail"), 409, "no-incident")
    refused(web.post("/v1/breakers", {"service": "http://none:80", "force": "auto"}), 404, "no-such-service")
    refused(web.get("/v1/bulk/none"), 404, "no-such-bulk")
    refused(web.post(f"/v1/instances/{fault}/compensate"), 409, "nothing-to-compensate")
    service = Service()
    service.answer = "drop"
    web.deploy(service.workflow())
    charge = web.start("t/charge", input={"n": 1})["id"]
    until(lambda: web.get("/v1/instances/" + charge).json["status"] == "faulted", "an answer that does not come")
    refused(web.post(f"/v1/instances/{charge}/skip"), 409, "outcome-unknown")

    old = web.start("t/work")["id"]
    refused(web.post("/v1/jobs/complete", {"token": "none"}), 400, "token-not-valid")
    job = web.post("/v1/jobs/poll", {"functions": ["paint"], "waitMs": 30000}).gives(200).json["jobs"][0]["token"]
    web.post("/v1/jobs/complete", {"token": job, "result": 1}).gives(200)
    refused(web.post("/v1/jobs/complete", {"token": job, "result": 2}), 409, "job-over")

    secret = waiting(web, "secret")
    roles = {"name": "bob", "roles": [{"role": "viewer", "namespace": "t"}]}
    bob, ada = (web.post("/v1/tokens", {**roles, "name": name}).gives(201).json["token"] for name in ("bob", "ada"))
    web.post(secret + "/bookmarks/decision/claim").gives(200)
    assert web.stop().code == 0
    web = serve(room, settings={"Server:Authentication": True})
    task = secret.replace("/v1/instances/", "/v1/tasks/") + "/decision"
    refused(web.by(bob).post(task + "/complete", {"data": {}}), 403, "not-yours")
    refused(web.by(ada).post(task + "/complete", {"data": {}}), 409, "claimed")
    refused(web.by(ada).post(task + "/comments", {"text": "x" * 5000}), 413, "too-large")
    assert web.stop().code == 0
    web = serve(room, settings={"Outbox:Sinks:away:Type": "http", "Outbox:Sinks:away:Url": "http://127.0.0.1:9/none",
                                "Workflow:Cleanup:CompletedWorkflowRetention": "1ms"})
    web.deploy(TOLD)
    refused(web.delete("/v1/instances/" + web.start("t/told", query="?wait=30s")["id"]), 409, "event-unpublished")
    refused(web.get("/v1/deadletters/none"), 404, "no-such-dead-letter")
    web.post("/v1/cleanup").gives(200)
    refused(web.post(f"/v1/instances/{old}/retry"), 410, "cleaned-up")
    assert web.stop().code == 0
    web = serve(room, settings={"Store:DiskLow": "65536GiB"})  # no disk has so much
    refused(web.post("/v1/instances", {"name": "t/nap"}), 503, "disk-low")
    missing = set(reasons()) - told
    # more polls than a test should open; a log of another version; bulk.py
    assert missing == {"too-many", "log-not-replayable"}, missing


if __name__ == "__main__":
    main()
