#!/usr/bin/env python3
"""metrics.py - what /metrics and `pawl metrics` say, the alerts and the dashboard that are made of it, and the page of the manual.

Prometheus' own tool judges the text and the rules: promtool below $PAWL_TOOLS, or of the system."""
import json
import os
import re
import shutil
import subprocess

from harness import ROOT, Skip, case, main, until
from service import Service
from web import serve, with_tokens

RULES = os.path.join(ROOT, "dist", "prometheus", "pawl.rules.yml")
RULES_TEST = os.path.join(ROOT, "dist", "prometheus", "pawl.test.yml")
DASHBOARD = os.path.join(ROOT, "dist", "grafana", "pawl.json")
MANUAL = os.path.join(ROOT, "doc", "monitoring.md")
SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def promtool(*words, send=None):
    program = os.path.join(os.environ.get("PAWL_TOOLS", ""), "prometheus", "usr", "bin", "promtool")
    if not os.access(program, os.X_OK):
        program = shutil.which("promtool")
    if not program:
        raise Skip("promtool is not here")
    return subprocess.run([program, *words], input=send, capture_output=True, check=False, timeout=100)


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def samples(text):
    """{family: {labels: value}}"""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            labels = tuple(sorted(LABEL.findall(labels or "")))
            assert labels not in found.setdefault(name, {}), f"twice: {line}"
            found[name][labels] = float(value)
    return found


def value(found, name, **labels):
    return found[name][tuple(sorted(labels.items()))]


def families(text):
    return {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE ")}


def used_in(text):
    """The families whose samples an expression names."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b(?:pawl|process)_[a-z_]+", text)}


def metrics(web):
    answer = web.get("/metrics").gives(200)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", answer.told()
    return answer.body.decode()


def busy(room):
    """A server that has seen something of everything: a call that succeeds, one that fails, a job, a person's action."""
    service = Service()
    web = serve(room, db="s.db")
    web.deploy(service.workflow())
    web.deploy(service.workflow(name='other', more=', metadata: {pawl: {resilience: {circuitBreaker: {name: "the \'shop\'"}}}}'))
    web.deploy("document: {dsl: 1.0.3, namespace: t, name: job, version: 1.0.0}\ndo: [{a: {call: pack, with: {n: 1}}}]\n")
    ids = [web.start("t/charge", input={"n": 1})["id"]]
    until(lambda: web.get("/v1/instances/count").json["statuses"].get("completed") == 1, "its end")
    service.answer = 500
    ids += [web.start("t/other", input={"n": 1})["id"], web.start("t/job", input={})["id"]]
    until(lambda: web.get("/v1/instances/count").json["statuses"].get("faulted") == 1, "its fault")
    web.post(f"/v1/instances/{ids[2]}/suspend", {"reason": "later"}).gives(200)
    return service, web, ids


@case("Prometheus finds nothing wrong with it, and it says what has happened")
def _(room):
    service, web, ids = busy(room)

    def counted():  # behind the commit that a request may have seen already
        text = metrics(web)
        found = samples(text)
        return ('pawl_workflow_ended_total{status="faulted",workflow="t/other"} 1\n' in text and
                value(found, "pawl_step_seconds_count") == value(found, "pawl_store_committed_steps_total") and text)

    text = until(counted, "the counts")
    found = samples(text)
    assert value(found, "pawl_instances_started_total") == 3
    assert value(found, "pawl_workflow_ended_total", workflow="t/charge", status="completed") == 1
    assert value(found, "pawl_workflow_ended_total", workflow="t/other", status="faulted") == 1
    assert value(found, "pawl_instances", status="suspended") == 1
    assert value(found, "pawl_calls_total", service=service.name, result="success") == 1
    assert value(found, "pawl_calls_total", service="the 'shop'", result="failure") == 1
    assert value(found, "pawl_faults_total", **{"kind": "external-call-fault", "class": "server-error", "decision": "incident"}) == 1
    assert value(found, "pawl_incidents_open") == value(found, "pawl_incidents_opened_total") == 1
    assert value(found, "pawl_manual_actions_total", action="suspend") == 1
    assert value(found, "pawl_http_requests_total", route="start", status="2xx") == 3
    assert value(found, "pawl_http_requests_total", route="deploy", status="2xx") == 3
    assert value(found, "pawl_step_seconds_count") == value(found, "pawl_store_committed_steps_total")
    assert value(found, "process_resident_memory_bytes") > 1000000
    told = promtool("check", "metrics", send=text.encode())
    assert told.returncode == 0 and told.stdout + told.stderr == b"", told


@case("no label has an instance, a task, a URI's path or a key in it")
def _(room):
    _, web, ids = busy(room)
    web.get(f"/v1/instances/{ids[0]}").gives(200)
    web.get("/v1/no-such-thing").problem(404, "no-such-path")
    text = metrics(web)
    for part in (*ids, "/do/", "/charge\"", "/v1/"):
        assert part not in text.replace('workflow="t/charge"', ""), part
    found = samples(text)
    assert value(found, "pawl_http_requests_total", route="getInstance", status="2xx") == 1
    assert value(found, "pawl_http_requests_total", route="none", status="4xx") == 1


@case("it needs the role viewer where requests need a token")
def _(room):
    web, tokens = with_tokens(room, {role: ([(role, "*")], []) for role in ("viewer", "starter", "worker")})
    web.get("/metrics").problem(401, "not-authenticated")
    web.by(tokens["worker"]).get("/metrics").problem(403, "role-missing")
    for role in ("viewer", "starter"):
        assert "\npawl_instances_started_total 0\n" in metrics(web.by(tokens[role]))


@case("pawl metrics asks who owns the store; without an owner it says what is in it")
def _(room):
    _, web, ids = busy(room)
    asked = room.pawl("metrics", "--db", "s.db").exits(0).silent().out
    assert families(asked) == families(metrics(web))
    assert value(samples(asked), "pawl_instances_started_total") == 3
    over_http = room.pawl("metrics", "--server", f"http://{web.host}:{web.port}", "--json").exits(0).json()["text"]
    assert families(over_http) == families(asked)
    assert web.stop().code == 0
    alone = room.pawl("metrics", "--db", "s.db").exits(0).silent().out
    found = samples(alone)
    assert [dict(labels)["mode"] for labels in found["pawl_info"]] == ["reader"]
    assert value(found, "pawl_instances", status="suspended") == 1 and value(found, "pawl_incidents_open") == 1
    assert "pawl_instances_started_total" not in found
    room.pawl("metrics", "--db", "none.db").exits(3)


@case("what slow is can be set, and a setting that cannot be is refused")
def _(room):
    web = serve(room, db="s.db", settings={"Store:SlowQuery": "00:00:05"})
    assert sum(samples(metrics(web))["pawl_store_slow_operations_total"].values()) == 0
    room.pawl("serve", "--db", "t.db", "--listen", "127.0.0.1:0", env={"Store__SlowQuery": "0"}).exits(2).complains("Store:SlowQuery")


@case("the alert rules are good, and each fires where it should and not a step before")
def _(room):
    told = promtool("check", "rules", RULES)
    assert told.returncode == 0 and b"SUCCESS" in told.stdout, told
    told = promtool("test", "rules", RULES_TEST)
    assert told.returncode == 0, told
    room.file("pawl.test.yml", text_of(RULES_TEST))
    rules = text_of(RULES)
    moved = [(") > 0.05", ") >= 0.05"), (">= 20\n        labels: {severity: critical}", ">= 21\n        labels: {severity: critical}"),
             (">= 20\n        labels: {severity: critical}", ">= 19\n        labels: {severity: critical}"),
             ("pawl_breaker_state == 2", "pawl_breaker_state >= 1"), ("pawl_service_healthy == 0", "pawl_service_healthy == 1"),
             ("pawl_store_degraded == 1 or ", ""), ("[5m])) >= 3", "[5m])) >= 2"), ("pawl_outbox_pending > 1000", "pawl_outbox_pending >= 1000")]
    for old, new in moved: # a rule that was changed is noticed
        assert old in rules, old
        room.file("pawl.rules.yml", rules.replace(old, new))
        assert promtool("test", "rules", os.path.join(room.path, "pawl.test.yml")).returncode != 0, f"{old} became {new}"


@case("the rules, the dashboard and the manual name metrics that there are, and the manual names all")
def _(room):
    web = serve(room, db="s.db")
    known = families(metrics(web))
    rules, dashboard, manual = text_of(RULES), json.loads(text_of(DASHBOARD)), text_of(MANUAL)
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(expressions) > 40 and len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for what, names in (("the rules", used_in(rules)), ("the dashboard", used_in("\n".join(expressions)))):
        assert names <= set(known), f"{what}: {names - set(known)}"
    listed = dict(re.findall(r"^\| `((?:pawl|process)_[a-z_]+)` \| (counter|gauge|histogram) \|", manual, re.M))
    assert listed == known, f"differs: {set(listed.items()) ^ set(known.items())}"
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert len(alerts) == 13 and re.findall(r"^\| `(Pawl\w+)` \|", manual, re.M) == alerts


if __name__ == "__main__":
    main()
