#!/usr/bin/env python3
"""api_actions.py - what an operator does about an incident, over HTTP: each action once for real and once dry, as the OpenAPI document
says; wrong members, roles, tokens, keys; of several at once one."""
import json

from harness import case, main, until
from openapi import Checked
from service import Service
from web import serve, with_tokens

NONE = "0" * 26
ORDER = """
document: {dsl: 1.0.3, namespace: NAMESPACE, name: order, version: 1.0.0}
do:
  - charge:
      input: {schema: {document: {type: object, properties: {n: {type: number}}, required: [n]}}}
      call: http
      with: {method: post, endpoint: 'URL/charge', body: {n: '${ .n }'}}
      output: {schema: {document: {type: object}}}
  - close: {set: {last: '${ . }', by: '${ $context.by }'}, then: end}
  - hand: {set: {byHand: '${ . }'}}
"""
ACTIONS = {"retry": {}, "skip": {}, "goto": {"task": "/do/2/hand"}, "edit": {"patch": [{"op": "add", "path": "/context", "value": {"by": 1}}]},
           "fail": {}, "cancel": {}}


def order(web, service, n=5, namespace="t"):
    """An instance that has stopped at `charge`."""
    service.answer = 500
    web.post("/v1/definitions", ORDER.replace("URL", service.url).replace("NAMESPACE", namespace), kind="application/yaml")
    identity = web.start(f"{namespace}/order", input={"n": n})["id"]
    until(lambda: web.get("/v1/instances/" + identity).json["status"] == "faulted", "a fault")
    return identity


def entries(web, identity, kind):
    steps = web.get(f"/v1/instances/{identity}/log").gives(200).json["steps"]
    return [entry for step in steps for entry in step["entries"] if entry["type"] == kind]


def ended(web, identity):
    return web.get(f"/v1/instances/{identity}?wait=30s").gives(200).json


@case("each action is done once, as the document says, below the instance and below the incident")
def _(room):
    service, web = Service(), serve(room, env={"WorkflowResilience__CircuitBreaker__FailureThreshold": "100"})
    c = Checked(web)
    for of in ("", "Incident"):
        done = {}
        for name in ("retry", "skip", "goto", "edit"):
            identity = order(web, service)
            path = {"id": identity + ("-1" if of else "")}
            if of:
                path["id"] = c.call("getIncident", 200, id=identity).json["id"]
            service.answer = 200
            body = {"retry": {"input": {"n": 7}}, "skip": {"output": {"paid": True}}, "goto": {"task": "/do/2/hand", "input": [1]},
                    "edit": {"patch": [{"op": "add", "path": "/context", "value": {"by": "ann"}}, {"op": "test", "path": "/input/n", "value": 5}]}}[name]
            dry = c.call(name + of, 200, {**body, "dryRun": True}, **path)
            assert dry.json["dryRun"] is True and dry.json["diff"] and dry.headers["ETag"] == f'"{dry.json["token"]}"', dry.told()
            assert web.get("/v1/instances/" + identity).json["token"] == dry.json["token"], dry.told()
            answer = c.call(name + of, 200, {**body, "reason": "because"}, headers={"If-Match": f'"{dry.json["token"]}"'}, **path)
            assert answer.json["repeated"] is False and answer.json["token"] == dry.json["token"] + 1, answer.told()
            if name == "edit":
                web.post(f"/v1/instances/{identity}/retry").gives(200)
            done[name] = ended(web, identity)["output"]
            kind = {"retry": "instance.retried", "skip": "instance.skipped", "goto": "instance.moved", "edit": "instance.edited"}[name]
            assert [entry["reason"] for entry in entries(web, identity, kind)][0] == "because"
        assert done == {"retry": {"last": {"done": True}, "by": None}, "skip": {"last": {"paid": True}, "by": None}, "goto": {"byHand": [1]},
                        "edit": {"last": {"done": True}, "by": "ann"}}, done
    assert [body["n"] for body in service.bodies] == 2 * [5, 7, 5, 5, 5, 5], service.bodies


@case("an edit is a JSON Patch as it is, too, with reason and dry run in the query")
def _(room):
    service, web = Service(), serve(room)
    c = Checked(web)
    identity = order(web, service)
    path, patch = f"/v1/instances/{identity}/edit", [{"op": "add", "path": "/context", "value": {"by": "bob"}}]
    kind = "application/json-patch+json"
    assert web.get("/v1/instances/" + identity).json["data"] == {"context": None, "input": {"n": 5}}
    assert web.post(path + "?dryRun=true", patch, kind=kind).gives(200).json["diff"] == [{"op": "replace", "path": "/data/context", "value": {"by": "bob"}}]
    c.call("edit", 200, json.dumps(patch), query="?reason=typo", kind=kind, id=identity)
    assert web.get("/v1/instances/" + identity).json["data"] == {"context": {"by": "bob"}, "input": {"n": 5}}
    assert entries(web, identity, "instance.edited")[0]["reason"] == "typo"
    assert web.post(path, patch, kind=kind).gives(200).json["repeated"] is True
    for body, kind_, status, code in (({"op": "add"}, kind, 400, "bad-body"), ("x", kind, 400, "bad-body"), (patch, "application/json", 400, "bad-body"),
                                      (patch, "text/plain", 415, "media-type"), ([{"op": "add"}], kind, 422, "answer-not-valid"), (None, None, 415, "media-type"),
                                      ([{"op": "remove", "path": "/context/none"}], kind, 422, "answer-not-valid"), ({"patch": {}}, None, 400, "invalid"),
                                      ({}, None, 400, "invalid"), ({"patch": patch, "id": "x"}, None, 400, "bad-body")):
        web.post(path, body, kind=kind_).problem(status, code)
    web.post(path + "?reason=a", {"patch": patch, "reason": "b"}).problem(400, "bad-body")
    web.post(path + "?reasn=a", patch, kind=kind).problem(400, "unknown-parameter").says("did you mean 'reason'?")
    web.post(path + "?dryRun=perhaps", patch, kind=kind).problem(400, "bad-parameter")
    assert len(entries(web, identity, "instance.edited")) == 1
    web.post(f"/v1/instances/{identity}/skip", [], kind=kind).problem(415, "media-type")


@case("members that are missing, wrong or of another action are refused, and nothing is changed")
def _(room):
    service, web = Service(), serve(room)
    identity = order(web, service)
    before = web.get("/v1/instances/" + identity).json
    for name, body, status, code in (
            ("retry", {"output": 1}, 400, "invalid"), ("retry", {"input": {"n": "x"}}, 422, "answer-not-valid"), ("retry", {"confirm": 1}, 400, "invalid"),
            ("retry", {"dryRun": "yes"}, 400, "invalid"), ("retry", {"reason": 1}, 400, "invalid"), ("retry", {"reason": "x" * 5000}, 413, "too-large"),
            ("skip", {"input": 1}, 400, "invalid"), ("skip", {"output": 1}, 422, "answer-not-valid"), ("goto", {}, 400, "invalid"),
            ("goto", {"task": 1}, 400, "invalid"), ("goto", {"task": "/do/9/x"}, 400, "invalid"), ("goto", {"task": "x"}, 400, "invalid"),
            ("edit", {"patch": 1}, 400, "invalid"), ("fail", {"confirm": True}, 400, "invalid"), ("cancel", {"input": 1}, 400, "invalid"),
            ("compensate", {"task": 1}, 400, "invalid"), ("compensate", {"output": 1}, 400, "invalid"), ("rewind", {}, 400, "invalid"),
            ("rewind", {"step": 1, "visit": 1}, 400, "invalid"), ("rewind", {"step": -1}, 400, "invalid"), ("rewind", {"step": 1.5}, 400, "invalid"),
            ("rewind", {"step": 1, "input": 1}, 400, "invalid")):
        for dry in ({}, {"dryRun": True}):
            for where in (f"/v1/instances/{identity}", f"/v1/incidents/{before['incident']['id']}"):
                answer = web.post(f"{where}/{name}", {**dry, **body}).problem(status, code)
                assert answer.json["detail"], answer.told()
    for name in ("goto", "edit", "rewind"):
        web.post(f"/v1/instances/{identity}/{name}").problem(415, "media-type")
    for name, body in ACTIONS.items():
        web.post(f"/v1/instances/{NONE}/{name}", body).problem(404, "no-such-instance")
        web.post(f"/v1/incidents/{identity}-99/{name}", body).gives(404)
    for look in ("compensation", "effects"):
        web.get(f"/v1/instances/{NONE}/{look}").problem(404, "no-such-instance")
        web.get(f"/v1/instances/{identity}/{look}?limit=1001").gives(400)
        web.get(f"/v1/instances/{identity}/{look}?all=true").problem(400, "unknown-parameter")
    assert web.get("/v1/instances/" + identity).json == before and service.count == 1


@case("operators may, viewers may look, and in another namespace there is nothing; the log knows who it was")
def _(room):
    service = Service()
    web, tokens = with_tokens(room, {"root": ([("admin", "*")], []), "op": ([("operator", "t")], []), "u": ([("operator", "u")], []),
                                     "look": ([("viewer", "t")], []), "start": ([("starter", "t")], []), "work": ([("worker", "t")], [])})
    root, op, u, look, start, work = (web.by(tokens[name]) for name in ("root", "op", "u", "look", "start", "work"))
    identity = order(root, service)
    more = {**ACTIONS, "compensate": {}, "rewind": {"step": 1}, "fork": {"step": 1}}
    for name, body in more.items():
        for dry in ({}, {"dryRun": True}):
            for client in (look, start, work):
                client.post(f"/v1/instances/{identity}/{name}", {**body, **dry}).problem(403, "role-missing").says("operator")
            u.post(f"/v1/instances/{identity}/{name}", {**body, **dry}).problem(404, "no-such-instance")
            web.post(f"/v1/instances/{identity}/{name}", {**body, **dry}).problem(401, "not-authenticated")
    for what in ("compensation", "effects"):
        path = f"/v1/instances/{identity}/{what}"
        work.get(path).problem(403, "role-missing").says("viewer")
        u.get(path).problem(404, "no-such-instance")
    op.post(f"/v1/instances/{identity}/skip", {"actor": "eve"}).problem(400, "bad-body")
    op.post(f"/v1/instances/{identity}/skip", {"output": {}, "reason": "enough"}).gives(200)
    (entry,) = entries(root, identity, "instance.skipped")
    assert (entry["by"], entry["reason"]) == ("op", "enough"), entry
    told = look.post("/v1/commands", {"command": "skip", "id": identity}).problem(403, "role-missing").json
    assert told["error"]["code"] == "denied", told


@case("of many at once one is done; the same key again has no second effect, and another request none")
def _(room):
    service, web = Service(), serve(room)
    identity = order(web, service)
    one = web.get("/v1/incidents/" + identity).json["id"]
    answers = [later() for later in [web.later("POST", f"/v1/incidents/{one}/skip", {"output": {"n": n}}) for n in range(8)]]
    assert sorted(answer.status for answer in answers) == [200] + 7 * [409], [answer.told() for answer in answers]
    for answer in answers:
        if answer.status == 409:
            answer.problem(409, "no-incident")
    assert len(entries(web, identity, "instance.skipped")) == 1
    identity = order(web, service)
    path, key = f"/v1/instances/{identity}/edit", {"Idempotency-Key": "k"}
    body = {"patch": [{"op": "add", "path": "/context", "value": [1]}]}
    web.post(path, {**body, "dryRun": True}, headers=key).gives(200)
    first = web.post(path, body, headers=key).gives(200).json
    web.post(path, {"patch": [{"op": "add", "path": "/context/-", "value": 2}]}, headers={"If-Match": f'"{first["token"]}"'}).gives(200)
    assert web.post(path, body, headers=key).gives(200).json == first
    web.post(path, {"patch": []}, headers=key).problem(409, "idempotency-key-reused")
    web.post(path, body, headers={"If-Match": f'"{first["token"]}"'}).problem(412, "stale-token")
    assert web.get("/v1/instances/" + identity).json["data"]["context"] == [1, 2] and len(entries(web, identity, "instance.edited")) == 2


if __name__ == "__main__":
    main()
