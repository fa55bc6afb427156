#!/usr/bin/env python3
"""Who may: every operation of the document without a token, with each role, and from another namespace."""
import re

from harness import case, main, until
from openapi import operations
from service import Service
from web import serve, with_tokens

ASK = """
document: { dsl: '1.0.3', namespace: t, name: ask, version: '1.0.0' }
do: [ { ask: { call: userTask, with: { title: Yes or no?, assignedTo: nobody } } } ]
"""
FAULT = """
document: { dsl: '1.0.3', namespace: t, name: fault, version: '1.0.0' }
do: [ { no: { raise: { error: { type: 'http://e/x', status: 418, title: No } } } } ]
"""
TELL = """
document: { dsl: '1.0.3', namespace: t, name: tell, version: '1.0.0' }
do: [ { tell: { emit: { event: { with: { type: told } } } } } ]
"""
WORK = """
document: { dsl: '1.0.3', namespace: t, name: work, version: '1.0.0' }
do: [ { work: { call: paint, with: { colour: red } } } ]
"""
ROLES = ("worker", "viewer", "starter", "operator", "admin")
FROM = {"viewer": ROLES[1:], "starter": ROLES[2:], "operator": ROLES[3:], "admin": ROLES[4:], "worker": ("worker", "admin")}

# operation: (least role, where it is needed, body). "own": with any other role, what is one's own.
NEEDS = {
    "live": (None, "open", None),
    "ready": (None, "open", None),
    "getMetrics": ("viewer", "store", None),
    "openapi": ("any", "none", None),
    "getState": ("viewer", "list", None),
    "getLogLevel": ("admin", "store", None),
    "setLogLevel": ("admin", "store", {"level": "info"}),
    "command": ("any", "none", {"command": "ping"}),
    "listDefinitions": ("viewer", "list", None),
    "deploy": ("operator", "deploy", ASK),
    "validate": ("any", "none", ASK),
    "drawDocument": ("viewer", "some", ASK),
    "getNewestDefinition": ("viewer", "thing", None),
    "getDefinition": ("viewer", "thing", None),
    "getGraph": ("viewer", "thing", None),
    "setStatus": ("operator", "thing", {"status": "published"}),
    "listInstances": ("viewer", "list", None),
    "start": ("starter", "thing", {"name": "t/ask"}),
    "countInstances": ("viewer", "list", None),
    "getInstance": ("viewer", "thing", None),
    "getWhy": ("viewer", "thing", None),
    "getHealth": ("viewer", "store", None),
    "getAudit": ("viewer", "store", None),
    "deleteInstance": ("admin", "thing", None),
    "getLog": ("viewer", "thing", None),
    "getOutput": ("viewer", "thing", None),
    "cancel": ("operator", "thing", None),
    "suspend": ("operator", "thing", None),
    "continue": ("operator", "thing", None),
    "retry": ("operator", "thing", None),
    "fail": ("operator", "thing", None),
    "skip": ("operator", "thing", None),
    "goto": ("operator", "thing", {"task": "/do/0/ask"}),
    "edit": ("operator", "thing", {"patch": []}),
    "compensate": ("operator", "thing", None),
    "rewind": ("operator", "thing", {"step": 1}),
    "fork": ("operator", "thing", {"step": 1}),
    "getCompensation": ("viewer", "thing", None),
    "listEffects": ("viewer", "thing", None),
    "listCalls": ("viewer", "thing", None),
    "listIncidents": ("viewer", "list", None),
    "getIncident": ("viewer", "thing", None),
    "retryIncident": ("operator", "thing", None),
    "failIncident": ("operator", "thing", None),
    "cancelIncident": ("operator", "thing", None),
    "skipIncident": ("operator", "thing", None),
    "gotoIncident": ("operator", "thing", {"task": "/do/0/ask"}),
    "editIncident": ("operator", "thing", {"patch": []}),
    "compensateIncident": ("operator", "thing", None),
    "rewindIncident": ("operator", "thing", {"step": 1}),
    "listBulks": ("viewer", "list", None),
    "startBulk": ("operator", "list", {"action": "fail", "name": "none"}),
    "getBulk": ("viewer", "bulk", None),
    "stopBulk": ("operator", "bulk", None),
    "continueBulk": ("operator", "bulk", None),
    "listDeadLetters": ("viewer", "list", None),
    "requeueDeadLetters": ("operator", "list", {"sink": "none"}),
    "discardDeadLetters": ("operator", "list", {"sink": "none"}),
    "getDeadLetter": ("viewer", "letter", None),
    "requeueDeadLetter": ("operator", "letter", None),
    "discardDeadLetter": ("operator", "letter", None),
    "listSinks": ("viewer", "store", None),
    "cleanUp": ("admin", "store", {"dryRun": True}),
    "listBreakers": ("viewer", "store", None),
    "forceBreaker": ("operator", "store", {"service": "http://x:80", "force": "open"}),
    "listBookmarksOf": ("viewer", "thing", None),
    "getBookmark": ("viewer", "own", None),
    "claimBookmark": ("operator", "own", None),
    "releaseBookmark": ("operator", "own", None),
    "resume": ("operator", "thing", {"data": 1}),
    "listBookmarks": ("viewer", "list", None),
    "listTasks": ("any", "list", None),
    "getTask": ("viewer", "own", None),
    "claimTask": ("operator", "own", None),
    "releaseTask": ("operator", "own", None),
    "delegateTask": ("operator", "own", {"to": "somebody"}),
    "commentTask": ("operator", "own", {"text": "why?"}),
    "completeTask": ("operator", "own", {"data": 1}),
    "publish": ("starter", "store", {"specversion": "1.0", "id": "1", "source": "/a", "type": "a"}),
    "listJobs": ("viewer", "list", None),
    "pollJobs": ("worker", "list", {"functions": ["none"]}),
    "completeJob": ("worker", "job", {"token": "TOKEN"}),
    "failJob": ("worker", "job", {"token": "TOKEN"}),
    "heartbeatJob": ("worker", "job", {"token": "TOKEN"}),
    "limitJobs": ("operator", "store", {"function": "none", "maxConcurrent": 1}),
    "listSchedules": ("viewer", "list", None),
    "listTokens": ("admin", "store", None),
    "createToken": ("admin", "store", {"name": "new", "roles": [{"role": "viewer", "namespace": "*"}]}),
    "revokeToken": ("admin", "store", None),
}


class World:
    """One store with a definition, an instance with a user task, and a job, all in namespace t."""

    def __init__(self, room):
        identities = {role: ([(role, "t")], []) for role in ROLES}
        identities |= {"u-" + role: ([(role, "u")], []) for role in ROLES}
        identities |= {"all-" + role: ([(role, "*")], []) for role in ROLES}
        self.hook = Service()
        self.hook.answer = 400
        self.web, self.tokens = with_tokens(room, identities, {"Outbox:Sinks:hook:Type": "http", "Outbox:Sinks:hook:Url": self.hook.url,
                                                               "Outbox:Sinks:hook:Types": "told"})
        root = self.as_("all-admin")
        root.deploy(ASK)
        root.deploy(WORK)
        self.ids = [root.start("t/ask")["id"] for _ in range(3)]
        root.start("t/work")
        root.deploy(FAULT)
        root.start("t/fault", status=201)
        self.incident = until(lambda: root.get("/v1/incidents").json["incidents"], "an incident")[0]["id"]
        self.key = until(lambda: root.get(f"/v1/instances/{self.ids[0]}/bookmarks").json["bookmarks"], "a task")[0]["key"]
        self.job = root.post("/v1/jobs/poll", {"functions": ["paint"], "waitMs": 30000}).gives(200).json["jobs"][0]["token"]
        self.bulk = self.as_("operator").post("/v1/bulk", {"action": "fail", "name": "none"}).gives(200).json["id"]
        root.deploy(TELL)
        root.start("t/tell")
        self.letter = until(lambda: root.get("/v1/deadletters").json["letters"], "a dead letter")[0]["event"]
        self.document = root.get("/v1/openapi.json").gives(200).json

    def as_(self, name):
        return self.web.by(self.tokens[name])

    def ask(self, client, operation, instance=0):
        method, path, _ = operations(self.document)[operation]
        values = {"namespace": "t", "name": "ask", "version": "1.0.0", "id": self.ids[instance], "instance": self.ids[instance], "key": self.key, "tokenId": "none", "event": self.letter}
        if "Incident" in operation:
            values["id"] = self.incident
        if NEEDS[operation][1] == "bulk":
            values["id"] = self.bulk
        body = NEEDS[operation][2]
        if isinstance(body, dict) and body.get("token") == "TOKEN":
            body = {"token": self.job}
        path = re.sub(r"\{([^}]+)\}", lambda m: values[m.group(1)], path)
        return client.ask(method, path, body, kind="application/yaml" if isinstance(body, str) else None)


@case("the table of these cases has every operation of the document")
def _(room):
    web = serve(room)
    served = set(operations(web.get("/v1/openapi.json").gives(200).json))
    assert served == set(NEEDS), served ^ set(NEEDS)


@case("without a token, or with one that is none, every operation but health is refused")
def _(room):
    world = World(room)
    for operation, (_, where, _) in NEEDS.items():
        for client in (world.web, world.web.by("pawl_" + "A" * 43), world.web.by("x"), world.web.by("y" * 5000)):
            answer = world.ask(client, operation)
            if where == "open":
                answer.gives(200)
            else:
                answer.problem(401, "not-authenticated")
                assert answer.headers["WWW-Authenticate"] == 'Bearer realm="pawl"', answer.told()
                assert len(client.token or "") < 10 or client.token not in answer.body.decode(), answer.told()
    for header in ("Basic YTpi", "Bearer", "Bearer ", "bearerx y", ""):
        world.web.get("/v1/instances", headers={"Authorization": header}).problem(401, "not-authenticated")
    world.web.get("/v1/instances", headers={"Authorization": "bEARER  " + world.tokens["viewer"]}).gives(200)


@case("with a role that is too little every operation is refused")
def _(room):
    world = World(room)
    tried = 0
    for operation, (least, where, _) in NEEDS.items():
        if least in (None, "any") or where == "own":
            continue
        for role in ROLES:
            if role in FROM[least]:
                continue
            for client in (world.as_(role), world.as_("all-" + role)):
                world.ask(client, operation).problem(403, "role-missing").says(least)
                tried += 1
    assert tried > 100, tried
    for role in ROLES[:4]:  # what is not one's own is told apart from what needs a role
        for operation, (least, where, _) in NEEDS.items():
            if where == "own" and role not in FROM[least]:
                answer = world.ask(world.as_(role), operation)
                if "release" in operation:
                    answer.problem(409, "not-claimed")
                else:
                    answer.problem(403, "not-yours")


@case("with the role in the namespace every operation is carried out, but those that need it everywhere")
def _(room):
    world = World(room)
    for operation, (least, where, _) in NEEDS.items():
        if least is None or operation in ("deleteInstance", "cancel", "revokeToken", "cancelIncident"):
            continue
        role = "viewer" if least == "any" else least
        answer = world.ask(world.as_(role), operation)
        if where == "store":
            answer.problem(403, "role-missing").says("'*'")
            answer = world.ask(world.as_("all-" + role), operation)
        assert answer.status not in (401, 403, 404), answer.told()
    for role in ROLES:
        world.ask(world.as_(role), "openapi").gives(200)
        world.ask(world.as_(role), "validate").gives(200)
    world.ask(world.as_("operator"), "cancel", instance=1).gives(200)
    world.ask(world.as_("operator"), "cancelIncident").problem(409, "no-incident").says("retried by operator")
    world.ask(world.as_("admin"), "deleteInstance", instance=1).gives(204)
    world.ask(world.as_("admin"), "revokeToken").problem(403, "role-missing")
    world.ask(world.as_("all-admin"), "revokeToken").gives(404)


@case("what is in another namespace is not there")
def _(room):
    world = World(room)
    for operation, (_, where, _) in NEEDS.items():
        for role in ROLES:
            client = world.as_("u-" + role)
            if where in ("thing", "own"):
                answer = world.ask(client, operation).gives(404)
                assert answer.json["code"] in ("no-such-instance", "no-such-definition"), answer.told()
            elif where == "bulk" and role in FROM[NEEDS[operation][0]]:
                world.ask(client, operation).problem(404, "no-such-bulk")
            elif where == "letter" and role in FROM[NEEDS[operation][0]]:
                world.ask(client, operation).problem(404, "no-such-dead-letter")
            elif where == "job" and role in FROM["worker"]:
                world.ask(client, operation).problem(400, "token-not-valid")
            elif where in ("store", "deploy", "job"):
                world.ask(client, operation).gives(403)
    foreign, none = (world.as_("u-admin").get("/v1/instances/" + one).problem(404, "no-such-instance").json["detail"]
                     for one in (world.ids[0], "0" * 26))
    assert foreign.replace(world.ids[0], "") == none.replace("0" * 26, ""), "one who may not see it cannot tell whether it is there"


@case("lists have what is in the namespaces of who asks")
def _(room):
    world = World(room)
    for name, count in (("viewer", 6), ("u-viewer", 0), ("all-viewer", 6)):
        client = world.as_(name)
        assert len(client.get("/v1/instances").gives(200).json["instances"]) == count, name
        assert client.get("/v1/instances/count").gives(200).json["total"] == count, name
        assert len(client.get("/v1/definitions").gives(200).json["definitions"]) == (4 if count else 0), name
        assert len(client.get("/v1/incidents").gives(200).json["incidents"]) == (1 if count else 0), name
        assert len(client.get("/v1/bookmarks?kind=user-action").gives(200).json["bookmarks"]) == (3 if count else 0), name
        assert len(client.get("/v1/jobs").gives(200).json["jobs"]) == (1 if count else 0), name
        assert len(client.get("/v1/deadletters").gives(200).json["letters"]) == (1 if count else 0), name
        assert client.get("/v1/state").gives(200).json["instances"]["total"] == count, name
        assert client.get("/v1/instances?namespace=t").json["instances"] == client.get("/v1/instances").json["instances"], name
        assert client.get("/v1/instances?namespace=other").json["instances"] == [], name
        listed = client.post("/v1/commands", {"command": "list", "namespaces": ["t", "u"]}).gives(200).json["ok"]["instances"]
        assert len(listed) == count, name
    assert "store" in world.as_("all-viewer").get("/v1/state").json
    assert "store" not in world.as_("viewer").get("/v1/state").json


@case("a name without its namespace means one that who asks may see")
def _(room):
    web, tokens = with_tokens(room, {"root": ([("admin", "*")], []), "both": ([("starter", "t"), ("starter", "u")], []),
                                     "one": ([("starter", "u")], []), "none": ([("starter", "v")], [])})
    web.by(tokens["root"]).deploy(ASK)
    web.by(tokens["root"]).deploy(ASK.replace("namespace: t", "namespace: u"))
    started = web.by(tokens["one"]).start("ask")["id"]
    assert web.by(tokens["root"]).get("/v1/instances/" + started).json["namespace"] == "u"
    web.by(tokens["both"]).post("/v1/instances", {"name": "ask"}).problem(400, "bad-request").says("namespace/name")
    web.by(tokens["none"]).post("/v1/instances", {"name": "ask"}).problem(404, "no-such-definition")


@case("a worker gets jobs of its namespaces, and no others")
def _(room):
    web, tokens = with_tokens(room, {"root": ([("admin", "*")], []), "t": ([("worker", "t")], []), "u": ([("worker", "u")], [])})
    web.by(tokens["root"]).deploy(WORK)
    web.by(tokens["root"]).start("t/work")
    poll = {"functions": ["paint"], "waitMs": 100}
    assert web.by(tokens["u"]).post("/v1/jobs/poll", poll).gives(200).json == {"jobs": []}
    job = web.by(tokens["t"]).post("/v1/jobs/poll", {**poll, "waitMs": 30000}).gives(200).json["jobs"][0]
    assert job["namespace"] == "t" and job["input"] == {"colour": "red"}, job
    web.by(tokens["u"]).post("/v1/jobs/complete", {"token": job["token"], "result": 1}).problem(400, "token-not-valid")
    web.by(tokens["t"]).post("/v1/jobs/complete", {"token": job["token"], "result": 1}).gives(200)


@case("people see and answer their own tasks, by name and by group, and leave those of others")
def _(room):
    web, tokens = with_tokens(room, {"root": ([("operator", "*")], []), "ada": ([("worker", "t")], []), "bob": ([("viewer", "t")], ["painters"]),
                                     "eve": ([("starter", "u")], ["painters"])})
    root = web.by(tokens["root"])
    for name, who in (("ada", "assignedTo: ada"), ("painters", "candidates: { groups: [ painters ] }"), ("open", "priority: 1")):
        root.deploy(ASK.replace("name: ask", "name: " + name).replace("assignedTo: nobody", who))
    ids = {name: root.start("t/" + name)["id"] for name in ("ada", "painters", "open")}
    until(lambda: len(root.get("/v1/tasks?everybody=true").gives(200).json["bookmarks"]) == 3, "three tasks")

    def inbox(name, query=""):
        return {one["name"] for one in web.by(tokens[name]).get("/v1/tasks" + query).gives(200).json["bookmarks"]}

    assert inbox("ada") == {"ada", "open"} and inbox("bob") == {"painters", "open"} and inbox("eve") == set()
    assert inbox("root", "?person=ada") == {"ada", "open"} and inbox("root", "?person=x&group=painters") == {"painters", "open"}
    web.by(tokens["ada"]).get("/v1/tasks?person=bob").problem(403, "role-missing")
    keys = {name: root.get(f"/v1/instances/{one}/bookmarks").json["bookmarks"][0]["key"] for name, one in ids.items()}

    def task(name, of, what, body=None):
        return web.by(tokens[name]).post(f"/v1/tasks/{ids[of]}/{keys[of]}/{what}", body)

    task("bob", "ada", "complete", {"data": 1}).problem(403, "not-yours")
    task("ada", "painters", "claim").problem(403, "not-yours")
    task("eve", "painters", "claim").problem(404, "no-such-instance")
    web.by(tokens["ada"]).get(f"/v1/tasks/{ids['painters']}/{keys['painters']}").problem(403, "not-yours")
    web.by(tokens["ada"]).get(f"/v1/tasks/{ids['ada']}/{keys['ada']}").gives(200)
    assert task("ada", "open", "claim", {"leaseMs": 600000}).gives(200).json["claimedBy"] == "ada"
    task("bob", "open", "complete", {"data": 1}).problem(409, "claimed")
    task("bob", "open", "release").problem(403, "not-yours")
    task("ada", "open", "comments", {"text": "looking"}).gives(200)
    task("ada", "open", "release").gives(200)
    task("bob", "open", "complete", {"data": "fine"}).gives(200)
    task("ada", "ada", "delegate", {"to": "bob"}).gives(200)
    task("ada", "ada", "complete", {"data": 1}).problem(403, "not-yours")
    task("bob", "ada", "complete", {"data": 1}).gives(200)
    log = root.get(f"/v1/instances/{ids['ada']}/log").json["steps"]
    assert {step["actor"] for step in log} >= {"root", "ada", "bob"}, log


@case("a token ends when it is revoked or expires, and is shown once")
def _(room):
    web, tokens = with_tokens(room, {"root": ([("admin", "*")], [])})
    root = web.by(tokens["root"])
    made = root.post("/v1/tokens", {"name": "short", "roles": [{"role": "viewer", "namespace": "*"}], "note": "for a test"}).gives(201)
    token, number = made.json["token"], made.json["id"]
    assert made.headers["Location"] == "/v1/tokens/" + number and token.startswith("pawl_") and len(token) == 48, made.told()
    listed = root.get("/v1/tokens").gives(200)
    assert token not in listed.body.decode() and {one["name"] for one in listed.json["tokens"]} == {"root", "short"}, listed.told()
    web.by(token).get("/v1/instances").gives(200)
    root.delete("/v1/tokens/" + number).gives(204)
    root.delete("/v1/tokens/" + number).gives(204)
    web.by(token).get("/v1/instances").problem(401, "not-authenticated")
    old = root.post("/v1/tokens", {"name": "old", "roles": [{"role": "viewer", "namespace": "*"}], "expiresAt": "2001-01-01T00:00:00Z"})
    if old.status == 201:
        web.by(old.json["token"]).get("/v1/instances").problem(401, "not-authenticated")
    else:
        old.problem(400, "invalid")
    for body in ({"name": "x"}, {"name": "x", "roles": []}, {"name": "x", "roles": [{"role": "king", "namespace": "*"}]}, {"roles": [{"role": "viewer", "namespace": "*"}]}):
        root.post("/v1/tokens", body).problem(400, "invalid")


@case("tokens are in no log, on no stream and not in the store")
def _(room):
    web, tokens = with_tokens(room, {"root": ([("admin", "*")], [])})
    root = web.by(tokens["root"])
    root.deploy(ASK)
    root.start("t/ask")
    done = web.stop()
    assert done.code == 0, done.told()
    with open(room.path + "/pawl.db", "rb") as file:
        stored = file.read()
    assert tokens["root"].encode() not in stored and tokens["root"][5:].encode() not in stored
    assert tokens["root"] not in done.out + done.err


@case("on an address that others reach the server does not open without authentication")
def _(room):
    done = room.pawl("serve", "--db", "pawl.db", "--listen", "0.0.0.0:0")
    assert done.code != 0 and "Server:Authentication" in done.err and "Server:Insecure" in done.err, done.told()


if __name__ == "__main__":
    main()
