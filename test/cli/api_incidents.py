#!/usr/bin/env python3
"""api_incidents.py - incidents, calls and breakers over HTTP: what is read, who wins, what is repeated, what is refused."""
from harness import case, main, until
from service import Service
from web import serve, with_tokens

RAISE = """
document: { dsl: '1.0.3', namespace: NAMESPACE, name: NAME, version: '1.0.0' }
do: [ { no: { raise: { error: { type: 'http://e/x', status: 418, title: No } } } } ]
"""


def fault(web, name="bad", namespace="t"):
    web.deploy(RAISE.replace("NAMESPACE", namespace).replace("NAME", name))
    identity = web.start(f"{namespace}/{name}")["id"]
    until(lambda: web.get("/v1/instances/" + identity).json["status"] == "faulted", "a fault")
    return identity


def entries(web, identity, kind):
    steps = web.get(f"/v1/instances/{identity}/log").gives(200).json["steps"]
    return [(entry["by"], entry.get("reason")) for step in steps for entry in step["entries"] if entry["type"] == kind]


@case("incidents are read in pages with links, the newest first")
def _(room):
    web = serve(room)
    for i in range(5):
        fault(web, f"bad{i}")
    first = web.get("/v1/incidents?limit=2&namespace=t").gives(200)
    link = first.headers["Link"]
    assert link.endswith('>; rel="next"') and "limit=2" in link and "namespace=t" in link, link
    seen = [one["name"] for one in first.json["incidents"]]
    while link:
        page = web.get(link[1:link.index(">")]).gives(200)
        seen += [one["name"] for one in page.json["incidents"]]
        link = page.headers.get("Link")
    assert sorted(seen) == ["bad0", "bad1", "bad2", "bad3", "bad4"], seen
    created = [one["createdAt"] for one in web.get("/v1/incidents").json["incidents"]]
    assert created == sorted(created, reverse=True), created
    web.get("/v1/incidents?after=nonsense").problem(400, "invalid")
    web.get("/v1/incidents?limit=1001").gives(400)
    web.get("/v1/incidents?all=perhaps").problem(400, "bad-parameter")
    web.get("/v1/incidents?open=true").problem(400, "unknown-parameter")
    web.get("/v1/incidents?type=fault").problem(400, "bad-parameter")
    web.get("/v1/incidents?class=none").problem(400, "invalid").says("server-error")


@case("an incident has the ETag of its instance, and is changed only as it was read")
def _(room):
    web = serve(room)
    identity = fault(web)
    (one,) = web.get("/v1/incidents").json["incidents"]
    path = "/v1/incidents/" + one["id"]
    read = web.get(path).gives(200)
    assert read.headers["ETag"] == '"1"' and read.json["token"] == 1 and read.headers["X-Correlation-ID"] == identity, read.told()
    assert {member: read.json[member] for member in one} == one, (one, read.json)
    assert read.json["definition"] == {"raise": {"error": {"type": "http://e/x", "status": 418, "title": "No"}}} and read.json["calls"] == []
    assert web.get("/v1/incidents/" + identity).json == read.json
    for what in ("retry", "fail", "cancel"):
        answer = web.post(f"{path}/{what}", headers={"If-Match": '"7"'}).problem(412, "stale-token")
        assert answer.json["token"] == 1, answer.told()
    changed = web.post(path + "/fail", {"reason": "enough"}, headers={"If-Match": '"1"'}).gives(200)
    assert changed.json == {"id": identity, "token": 2, "status": "faulted", "repeated": False} and changed.headers["ETag"] == '"2"', changed.told()
    assert web.post(path + "/fail", {"reason": "enough"}).gives(200).json["repeated"] is True
    assert web.post(f"/v1/instances/{identity}/fail").gives(200).json["repeated"] is True
    for what in ("retry", "cancel"):
        web.post(f"{path}/{what}").problem(409, "no-incident").says("failed by", "nothing to " + what)
    shown = web.get("/v1/instances/" + identity).json
    assert shown["status"] == "faulted" and "incident" not in shown, shown
    assert web.get(path).json["resolution"] == "failed"


@case("a fault that nobody has dealt with keeps its instance from being deleted, and the way out is named")
def _(room):
    web = serve(room)
    identity = fault(web)
    assert web.get("/v1/instances/" + identity).json["incident"]["id"] == identity + "-1"
    web.delete("/v1/instances/" + identity).problem(409, "open-incident").says("retry or fail")
    web.post(f"/v1/instances/{identity}/cancel", {"reason": "no more"}).gives(200)
    web.delete("/v1/instances/" + identity).gives(204)
    web.get(f"/v1/incidents/{identity}-1").gives(404)
    assert web.get("/v1/incidents?all=true").json["incidents"] == []


@case("the same request again has no second effect, under its key nothing else can be asked")
def _(room):
    service = Service()
    service.answer = 500
    web = serve(room)
    web.deploy(service.workflow())
    identity = web.start("t/charge", input={"n": 1})["id"]
    first = until(lambda: web.get("/v1/incidents").json["incidents"], "an incident")[0]["id"]
    key = {"Idempotency-Key": "k1"}
    answer = web.post(f"/v1/incidents/{first}/retry", {"reason": "a"}, headers=key).gives(200).json
    second = until(lambda: [i for i in web.get("/v1/incidents").json["incidents"] if i["id"] != first], "the next")[0]["id"]
    for _ in range(3):
        again = web.post(f"/v1/incidents/{first}/retry", {"reason": "a"}, headers=key).gives(200).json
        assert again["token"] == answer["token"] and again["id"] == identity, (answer, again)
    assert web.get("/v1/incidents").json["incidents"][0]["id"] == second and service.count == 2
    web.post(f"/v1/incidents/{first}/retry", {"reason": "b"}, headers=key).problem(409, "idempotency-key-reused")
    web.post(f"/v1/incidents/{second}/retry", {"reason": "a"}, headers=key).problem(409, "idempotency-key-reused")
    web.post(f"/v1/instances/{identity}/retry", {"reason": "a"}, headers=key).problem(409, "idempotency-key-reused")
    web.post(f"/v1/incidents/{first}/retry", {"reason": "a"}, headers={"Idempotency-Key": "k2"}).problem(409, "no-incident")
    assert service.count == 2 and [reason for _, reason in entries(web, identity, "instance.retried")] == ["a"]


@case("of many that retry the same incident one does, and the others learn that it is over")
def _(room):
    service = Service()
    service.answer = 500
    web = serve(room)
    web.deploy(service.workflow())
    identity = web.start("t/charge", input={"n": 1})["id"]
    first = until(lambda: web.get("/v1/incidents").json["incidents"], "an incident")[0]["id"]
    answers = [later() for later in [web.later("POST", f"/v1/incidents/{first}/retry", {"reason": str(n)}) for n in range(12)]]
    done = [answer for answer in answers if answer.status == 200]
    assert len(done) == 1, [answer.told() for answer in answers]
    for answer in answers:
        if answer.status != 200:
            answer.problem(409, "no-incident")
    until(lambda: len(web.get("/v1/incidents?all=true").json["incidents"]) == 2, "two incidents")
    assert service.count == 2 and len(entries(web, identity, "instance.retried")) == 1


@case("what lies in another namespace is not there, whichever id is used for it")
def _(room):
    web, tokens = with_tokens(room, {"root": ([("admin", "*")], []), "t": ([("operator", "t")], []), "u": ([("operator", "u")], []),
                                     "look": ([("viewer", "t")], []), "all": ([("viewer", "*")], [])})
    root, t, u, look = (web.by(tokens[name]) for name in ("root", "t", "u", "look"))
    ids = {"t": fault(root), "u": fault(root, namespace="u")}
    assert [i["instance"] for i in t.get("/v1/incidents").json["incidents"]] == [ids["t"]]
    assert [i["instance"] for i in root.get("/v1/incidents?namespace=u").json["incidents"]] == [ids["u"]]
    assert t.get("/v1/incidents?namespace=u").json["incidents"] == []
    for identity in (ids["t"], ids["t"] + "-1"):
        u.get("/v1/incidents/" + identity).problem(404, "no-such-instance")
        for what in ("retry", "fail", "cancel"):
            u.post(f"/v1/incidents/{identity}/{what}").problem(404, "no-such-instance")
            look.post(f"/v1/incidents/{identity}/{what}").problem(403, "role-missing").says("operator")
        look.get("/v1/incidents/" + identity).gives(200)
    for strange in ("-1", "%2d1", ids["t"] + "-1-1", "a" * 5000):
        t.get("/v1/incidents/" + strange).gives(404)
    t.post(f"/v1/incidents/{ids['t']}-1/fail", {"reason": "enough"}).gives(200)
    assert entries(root, ids["t"], "instance.failed") == [("t", "enough")]
    assert root.get(f"/v1/incidents/{ids['t']}").json["resolvedBy"] == "t"
    for client in (t, look):
        client.get("/v1/breakers").problem(403, "role-missing").says("'*'")
    web.by(tokens["all"]).get("/v1/breakers").gives(200)
    web.by(tokens["all"]).post("/v1/breakers", {"service": "http://x:80", "force": "open"}).problem(403, "role-missing").says("operator")
    t.post("/v1/breakers", {"service": "http://x:80", "force": "open"}).problem(403, "role-missing").says("'*'")
    forced = root.post("/v1/breakers", {"service": "http://x:80", "force": "open", "reason": "why not"}).gives(200).json
    assert (forced["changedBy"], forced["reason"], forced["forced"], forced["state"]) == ("root", "why not", "open", "open"), forced


@case("what is no such body is refused, and nothing is changed by it")
def _(room):
    web = serve(room)
    identity = fault(web)
    for body in ({"reason": 1}, {"why": "x"}, {"id": "x"}, [], "x", {"reason": "x" * 5000}):
        answer = web.post(f"/v1/incidents/{identity}-1/retry", body)
        assert answer.status in (400, 413), answer.told()
    web.post("/v1/breakers").problem(415, "media-type")
    for body in ({}, {"service": "x"}, {"force": "open"}, {"service": 1, "force": "open"}, {"service": "x", "force": "half-open"},
                 {"service": "x", "force": "open", "until": "x"}, {"service": "", "force": "open"}, {"service": "x" * 1025, "force": "open"}):
        answer = web.post("/v1/breakers", body)
        assert answer.status in (400, 413), answer.told()
    web.post("/v1/breakers", {"service": "http://x:80", "force": "auto"}).problem(404, "no-such-service").says("pawl breakers --all")
    assert web.get("/v1/breakers?all=true").json == {"breakers": []}
    assert [i["open"] for i in web.get("/v1/incidents").json["incidents"]] == [True]
    web.get(f"/v1/instances/{'0' * 26}/calls").problem(404, "no-such-instance")


if __name__ == "__main__":
    main()
