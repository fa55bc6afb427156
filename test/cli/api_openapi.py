#!/usr/bin/env python3
"""The OpenAPI document: it is one, and every operation of it answers as it says."""
import re

from harness import case, main, until
from openapi import Checked, follow, operations
from service import Service
from web import serve

ASK = """
document: { dsl: '1.0.3', namespace: t, name: ask, version: '1.0.0' }
do:
  - ask:
      call: userTask
      with:
        title: Yes or no?
        priority: 3
        due: PT1H
        candidates: { users: [ ada ], groups: [ painters ] }
        form: { schema: { type: object, properties: { yes: { type: boolean } }, required: [ yes ] } }
        data: { n: 1 }
"""
TELL = """
document: { dsl: '1.0.3', namespace: t, name: tell, version: '1.0.0' }
do: [ { tell: { emit: { event: { with: { type: told } } } } } ]
"""
WORK = """
document: { dsl: '1.0.3', namespace: t, name: work, version: '1.0.0' }
do: [ { work: { call: paint, with: { colour: red } } } ]
"""
HEAR = """
document: { dsl: '1.0.3', namespace: t, name: hear, version: '1.0.0' }
do: [ { hear: { listen: { to: { one: { with: { type: com.example.order } } } } } } ]
"""
OFTEN = """
document: { dsl: '1.0.3', namespace: t, name: often, version: '1.0.0' }
schedule: { every: { hours: 1 } }
do: [ { a: { set: { x: 1 } } } ]
"""
NAP = """
document: { dsl: '1.0.3', namespace: t, name: nap, version: '1.0.0' }
do: [ { sleep: { wait: PT1H } } ]
"""
EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.order", "data": {"n": 1}}


@case("the document is OpenAPI 3.1, whole, and knows each operation by one name")
def _(room):
    web = serve(room)
    document = web.get("/v1/openapi.json").gives(200).json
    assert document["openapi"] == "3.1.0" and document["info"]["version"] and document["security"] == [{"token": []}]
    count = sum(len(methods) for methods in document["paths"].values())
    assert len(operations(document)) == count > 40, count
    used = set()

    def look(at):
        if isinstance(at, dict):
            if "$ref" in at:
                used.add(at["$ref"])
                follow(document, at["$ref"])
            for value in at.values():
                look(value)
        elif isinstance(at, list):
            for value in at:
                look(value)

    look(document)
    known = {f"#/components/{kind}/{name}" for kind in ("schemas", "parameters", "responses") for name in document["components"][kind]}
    assert used == known, f"used and not there, or there and not used: {used ^ known}"
    for name, (_, path, operation) in operations(document).items():
        for part in re.findall(r"\{([^}]+)\}", path):
            assert {"name": part, "in": "path", "required": True, "schema": {"type": "string"}} in operation["parameters"], name
        assert operation["summary"] and operation["tags"] and operation["description"], name
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}, name
        assert (operation.get("security") == []) == path.startswith("/health/"), name


@case("every operation is called, and answers as the document says")
def _(room):
    hook = Service()
    hook.answer = 400
    web = serve(room, settings={"Outbox:Sinks:hook:Type": "http", "Outbox:Sinks:hook:Url": hook.url, "Outbox:Sinks:hook:Types": "told"})
    c = Checked(web)
    c.call("live", 200)
    c.call("ready", 200)
    assert isinstance(c.call("openapi", 200).json, dict)
    c.call("getMetrics", 200)
    assert c.call("getLogLevel", 200).json == {"level": "info"}
    assert c.call("setLogLevel", 200, {"level": "warning,http=debug"}).json == {"level": "warning,http=debug"}
    c.call("setLogLevel", 400, {"level": "loud"})
    c.call("command", 200, {"command": "ping"})
    c.call("command", 404, {"command": "show", "id": "none"})

    service = Service()
    service.answer = 500
    for text in (ASK, WORK, HEAR, OFTEN, NAP, service.workflow()):
        c.call("deploy", 201, text, kind="application/yaml")
    c.call("deploy", 200, ASK, kind="application/yaml")
    c.call("deploy", 422, "x: 1", kind="application/yaml")
    c.call("validate", 200, "x: 1", kind="application/yaml", query="?portable=true")
    of_ask = {"namespace": "t", "name": "ask", "version": "1.0.0"}
    for query in ("", "?format=mermaid", "?format=dot"):
        c.call("drawDocument", 200, ASK, kind="application/yaml", query=query)
        c.call("getGraph", 200, query=query, **of_ask)
    assert c.call("listDefinitions", 200, query="?limit=2").json["next"]
    for accept in ("application/json", "application/yaml", "text/plain"):
        c.call("getNewestDefinition", 200, headers={"Accept": accept}, **of_ask)
        c.call("getDefinition", 200, headers={"Accept": accept}, **of_ask)
    c.call("setStatus", 200, {"status": "published"}, **of_ask)

    one = c.call("start", 201, {"name": "t/ask", "version": "1.0.0", "input": {"a": 1}, "key": "k", "labels": {"team": "a"}}).json["id"]
    c.call("start", 200, {"name": "t/ask", "version": "1.0.0", "input": {"a": 1}, "key": "k"})
    c.call("start", 202, {"name": "t/ask", "input": {"a": 1}}, query="?wait=1ms")
    c.call("start", 409, {"name": "t/ask", "input": {"a": 2}, "key": "k"})
    c.call("start", 201, {"name": "t/ask", "startAt": "2999-01-01T00:00:00Z"})
    c.call("start", 201, {"name": "t/hear"})
    tag = until(lambda: (lambda a: a.json["status"] == "waiting" and a.headers["ETag"])(c.call("getInstance", 200, id=one)), "a task")
    c.call("getInstance", 304, headers={"If-None-Match": tag}, id=one)
    c.call("cancel", 412, headers={"If-Match": '"99"'}, id=one)
    c.call("listInstances", 200, query="?limit=1")
    c.call("countInstances", 200)
    c.call("getState", 200)
    c.call("getLog", 200, query="?limit=1", id=one)
    c.call("listSchedules", 200)

    key = c.call("listBookmarksOf", 200, instance=one).json["bookmarks"][0]["key"]
    at = {"id": one, "key": key}
    c.call("listBookmarks", 200, query="?limit=1")
    assert c.call("getBookmark", 200, **at).json["form"]["schema"]["required"] == ["yes"]
    c.call("claimBookmark", 200, {"leaseMs": 60000}, **at)
    c.call("releaseBookmark", 200, **at)
    assert len(c.call("listTasks", 200, query="?person=ada").json["bookmarks"]) >= 1
    c.call("getTask", 200, **at)
    c.call("claimTask", 200, {}, **at)
    c.call("releaseTask", 200, **at)
    c.call("commentTask", 200, {"text": "why?"}, **at)
    c.call("delegateTask", 200, {"to": "bob"}, **at)
    c.call("completeTask", 422, {"data": {"yes": "perhaps"}}, **at)
    c.call("completeTask", 200, {"data": {"yes": True}}, **at)
    c.call("getBookmark", 200, **at)
    c.call("getInstance", 200, query="?wait=30s", id=one)
    c.call("getOutput", 200, id=one)
    c.call("getLog", 200, id=one)
    nap = c.call("start", 201, {"name": "t/nap"}).json["id"]
    wake = until(lambda: c.call("listBookmarksOf", 200, instance=nap).json["bookmarks"], "a timer")[0]["key"]
    c.call("resume", 200, {}, id=nap, key=wake)

    c.call("publish", 200, EVENT, kind="application/cloudevents+json")
    c.call("publish", 200, [EVENT, {**EVENT, "id": "2"}], kind="application/cloudevents-batch+json", query="?ttlMs=60000")

    for _ in range(3):
        c.call("start", 201, {"name": "t/work"})
    c.call("limitJobs", 200, {"function": "paint", "maxConcurrent": 10, "rate": 100.5})
    polled = []
    while len(polled) < 3:
        polled += c.call("pollJobs", 200, {"functions": ["paint"], "max": 3, "waitMs": 30000, "leaseMs": 60000, "worker": "me"}).json["jobs"]
    tokens = [job["token"] for job in polled]
    c.call("heartbeatJob", 200, {"token": tokens[0], "leaseMs": 60000, "progress": 1})
    c.call("heartbeatJob", 200, [{"token": tokens[0]}, {"token": "none"}])
    c.call("listJobs", 200, query="?function=paint")
    c.call("completeJob", 200, {"token": tokens[0], "result": {"done": True}})
    c.call("completeJob", 200, [{"token": tokens[0], "result": 2}, {"token": tokens[1]}])
    c.call("failJob", 200, {"token": tokens[2], "status": 500, "title": "no", "detail": "none", "retryable": True, "retryAfterMs": 1})
    c.call("failJob", 200, [{"token": tokens[2]}])

    nap = c.call("start", 201, {"name": "t/nap"}).json["id"]
    c.call("suspend", 200, {"reason": "look"}, id=nap)
    c.call("continue", 200, id=nap)
    c.call("deleteInstance", 409, id=nap)
    c.call("cancel", 200, {"reason": "no more"}, id=nap)
    c.call("deleteInstance", 204, id=nap)

    broken = [c.call("start", 201, {"name": "t/charge", "input": {"n": n}}).json["id"] for n in range(4)]
    until(lambda: len(web.get("/v1/incidents?name=t/charge").json["incidents"]) == 4, "incidents")
    assert c.call("listIncidents", 200, query="?limit=1&type=external-call-fault&class=server-error&name=t/charge").json["next"]
    c.call("listIncidents", 200, query="?all=true&instance=" + broken[0])
    c.call("listIncidents", 400, query="?type=none")
    of = {one["instance"]: one["id"] for one in c.call("listIncidents", 200, query="?name=charge").json["incidents"]}
    c.call("getInstance", 200, id=broken[0])
    c.call("getIncident", 200, id=of[broken[0]])
    assert c.call("getIncident", 200, id=broken[0]).headers["ETag"]
    c.call("getIncident", 404, id=broken[0] + "-99")
    c.call("listCalls", 200, id=broken[0])
    c.call("deleteInstance", 409, id=broken[0])
    c.call("retry", 200, {"reason": "again"}, id=broken[0])
    c.call("retryIncident", 409, id=of[broken[0]])
    c.call("retryIncident", 412, headers={"If-Match": '"99"'}, id=of[broken[1]])
    c.call("retryIncident", 200, {"reason": "again"}, id=of[broken[1]])
    c.call("failIncident", 200, {"reason": "enough"}, id=of[broken[2]])
    c.call("fail", 200, {}, id=broken[2])
    c.call("cancelIncident", 200, id=of[broken[3]])
    until(lambda: len(web.get("/v1/incidents?name=t/charge").json["incidents"]) == 2, "two that failed again")
    c.call("listIncidents", 200, query="?all=true")
    assert c.call("startBulk", 200, {"action": "fail", "name": "t/charge", "dryRun": True}).json == {"counted": 2}
    bulk = c.call("startBulk", 200, {"action": "fail", "name": "t/charge", "version": "1.0.0", "namespaces": ["t"], "labels": {"a": "b"},
                                     "type": "external-call-fault", "class": "server-error", "olderMs": 1, "reason": "late"}).json
    c.call("startBulk", 400, {"action": "melt"})
    until(lambda: c.call("getBulk", 200, id=bulk["id"]).json["state"] == "done", "its end")
    c.call("stopBulk", 409, id=bulk["id"])
    c.call("continueBulk", 404, id="none")
    assert c.call("startBulk", 200, {"action": "goto", "task": "/do/9/none", "atTask": "/do/0/charge"}).json["counted"] == 2
    until(lambda: c.call("listBulks", 200, query="?limit=1").json["bulks"][0]["failed"] == 2, "two that refuse")
    bulks = c.call("listBulks", 200).json["bulks"]
    assert len(c.call("getBulk", 200, id=bulks[0]["id"]).json["failures"]) == 2
    c.call("forceBreaker", 200, {"service": service.name, "force": "open", "reason": "they move house"})
    held = c.call("start", 201, {"name": "t/charge"}).json["id"]
    until(lambda: c.call("listBreakers", 200).json["breakers"][0]["waiting"] == 1, "a call that waits")
    assert c.call("getInstance", 200, id=held).json["waits"][0]["where"] == "held"
    c.call("listCalls", 200, id=held)
    assert c.call("getWhy", 200, id=held).json["waits"][0]["why"].endswith(" is held: its breaker is forced open")
    c.call("getWhy", 404, id="0" * 26)
    assert c.call("getHealth", 200).json["status"] == "up"
    assert [f["kind"] for f in c.call("getAudit", 200).json["findings"] if f["level"] == "error"] == []
    c.call("getAudit", 200, query="?last=true")
    c.call("getAudit", 400, query="?last=x")
    assert c.call("cleanUp", 200, {"dryRun": True}).json["instances"] == 0
    c.call("cleanUp", 400, {"dryRun": 1})
    assert c.call("cleanUp", 200).json["stopped"] is False
    c.call("forceBreaker", 404, {"service": "http://none:80", "force": "auto"})
    c.call("forceBreaker", 400, {"service": service.name, "force": "shut"})
    c.call("forceBreaker", 200, {"service": service.name, "force": "auto"})
    c.call("listBreakers", 200, query="?all=true")

    c.call("deploy", 201, TELL, kind="application/yaml")
    for _ in range(3):
        c.call("start", 201, {"name": "t/tell"})
    letters = until(lambda: len(found := c.call("listDeadLetters", 200).json["letters"]) == 3 and found, "three dead letters")
    assert c.call("listDeadLetters", 200, query="?sink=hook&all=true&namespace=t&limit=2").json["next"]
    assert c.call("getDeadLetter", 200, event=letters[0]["event"]).json["payload"]["type"] == "told"
    c.call("getDeadLetter", 404, event="none")
    assert c.call("discardDeadLetter", 200, {"reason": "old"}, event=letters[0]["event"]).json == {"changed": 1}
    hook.answer = 200
    assert c.call("requeueDeadLetter", 200, event=letters[1]["event"]).json == {"changed": 1}
    assert c.call("requeueDeadLetters", 200, {"type": "told", "reason": "mended"}).json == {"changed": 1}
    assert c.call("discardDeadLetters", 200, {"all": True}).json == {"changed": 0}
    c.call("discardDeadLetters", 400, {})
    until(lambda: [(one["state"], one["pending"], one["dead"]) for one in c.call("listSinks", 200).json["sinks"]] == [("up", 0, 0)], "an empty outbox")

    made = c.call("createToken", 201, {"name": "ci", "roles": [{"role": "viewer", "namespace": "t"}], "ofGroups": ["painters"], "note": "for a test",
                                       "expiresAt": "2999-01-01T00:00:00Z"}).json
    c.call("listTokens", 200)
    c.call("revokeToken", 204, tokenId=made["id"])
    c.call("listTokens", 200)
    called_elsewhere = {name + of for name in ("skip", "goto", "edit", "compensate", "rewind") for of in ("", "Incident")} | {
        "fork", "getCompensation", "listEffects",  # api_actions.py, plan.py, rewind.py
        "stopBulk", "continueBulk"}  # bulk.py
    assert c.called | called_elsewhere == set(c.operations), f"not called: {set(c.operations) - c.called}"


if __name__ == "__main__":
    main()
