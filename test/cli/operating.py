#!/usr/bin/env python3
"""operating.py - the operator's page: each field of its table of actions and statuses is what a real server does, tried by a dry
run of every action on an instance of every status."""
import os
import re

from harness import ROOT, Room, case, main, until
from web import serve

DONE = "emit: {event: {with: {source: /s, type: done}}}, metadata: {pawl: {compensate: {emit: {event: {with: {source: /s, type: undone}}}}}}"
ASKED = "emit: {event: {with: {source: /s, type: done}}}, metadata: {pawl: {compensate: {call: userTask}}}"
RAISE = "raise: {error: {type: 'http://e/x', status: 418, title: No}}"
# What is done first, and what comes behind it.
KINDS = {
    "asks": [DONE, "call: userTask"],
    "only-asks": ["call: userTask"],
    "tries": ["call: http, with: {method: get, endpoint: 'http://127.0.0.1:1/'}, "
              "metadata: {pawl: {resilience: {retry: {delay: PT1H, limit: {attempt: {count: 3}}}}}}"],
    "fails": [DONE, "set: '${ .a.b.c | error(\"no\") }'"],
    "only-fails": ["set: '${ .a.b.c | error(\"no\") }'"],
    "stops": [DONE, RAISE],
    "ends": [DONE, "wait: {milliseconds: 1}"],  # two steps: behind the first one it can go on
    "only-ends": ["wait: {milliseconds: 1}"],
    "undoes": [ASKED, "call: userTask"],
}
Room.settings = {"PAWL_EGRESS_ALLOW": "loopback", "WorkflowResilience__Faults__Table__activity__business": "suspend"}
BODIES = {"goto": {"task": "/do/0/t0"}, "edit": {"patch": [{"op": "replace", "path": "/context", "value": {"a": 1}}]},
          "rewind": {"step": 1}, "fork": {"step": 1}}


def definition(name, tasks):
    ours = "metadata: {pawl: {compensation: {}}}" if any("compensate" in task for task in tasks) else "tags: {}"
    return (f"document: {{dsl: 1.0.3, namespace: t, name: {name}, version: 1.0.0, {ours}}}\ndo:\n" +
            "".join(f"  - t{number}: {{{task}}}\n" for number, task in enumerate(tasks)))


def make(web, name, status, *then, **members):
    """An instance that has come to this status, and what is done to it then."""
    one = web.start("t/" + name, **members)["id"]
    until(lambda: web.get("/v1/instances/" + one).json["status"] == status, status)
    for action in then:
        web.post(f"/v1/instances/{one}/{action}", {"reason": "x"}).gives(200)
    return one


def outcome(web, one, action):
    if action == "delete":
        answer = web.delete("/v1/instances/" + one)
        return {204: "yes", 409: ""}.get(answer.status, answer.told())
    # a fork leaves it as it is, and is made
    answer = web.post(f"/v1/instances/{one}/{action}", {**BODIES.get(action, {}), "dryRun": action != "fork"})
    if answer.status == 409:
        return ""
    if answer.status not in (200, 201):
        return answer.told()
    return "again" if answer.json.get("repeated") else "yes"


# A field of the table, and what it means for the instances of its column: (without, with) what it names, or all of them.
FIELDS = {
    "yes": ("yes", "yes"), "": ("", ""), "*again*": ("again", "again"), "if an attempt is waited for": ("", "yes"),
    "with an incident": ("", "yes"), "if something was done": ("", "yes"), "if something is left": ("", "yes"),
}


def table():
    """{action: {column: field}} of the page."""
    with open(os.path.join(ROOT, "doc", "operating.md"), encoding="utf-8") as file:
        text = file.read().split("## Which action in which status")[1]
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines() if line.startswith("|")]
    heads = [head.replace("`", "") for head in rows[0][1:]]
    fields = {}
    for row in rows[2:]:
        for action in re.findall(r"`(\w+)`", row[0]):
            fields[action] = dict(zip(heads, row[1:]))
    return fields


@case("every field of the table of actions and statuses is what the server does")
def _(room):
    web = serve(room)
    for name, tasks in KINDS.items():
        web.deploy(definition(name, tasks))
    fields = table()
    assert len(fields) == 12 and all(len(row) == 6 for row in fields.values()), fields
    # column: instances without and with what the fields of the column name
    plain, asks = make(web, "only-asks", "waiting"), make(web, "asks", "waiting")
    tries = make(web, "tries", "waiting")
    until(lambda: [wait.get("attempt") for wait in web.get("/v1/instances/" + tries).json["waits"]] == [2], "the first error")
    incident, only = make(web, "fails", "faulted"), make(web, "only-fails", "faulted")
    held, stopped = make(web, "only-asks", "waiting", "suspend"), make(web, "stops", "suspended")
    undoing = make(web, "undoes", "waiting", "compensate")
    ends, only_ends = make(web, "ends", "completed"), make(web, "only-ends", "completed")
    given_up, cancelled = make(web, "fails", "faulted", "fail"), make(web, "asks", "waiting", "cancel")
    undone = make(web, "asks", "waiting", "compensate")
    until(lambda: web.get("/v1/instances/" + undone).json["status"] == "compensated", "the compensation")
    pending = web.start("t/only-ends", startAt="2999-01-01T00:00:00Z")["id"]
    columns = {
        "pending": {None: (pending, pending)},
        "running, waiting": {None: (plain, asks), "retry": (plain, tries)},
        "suspended": {None: (held, stopped)},
        "faulted, incident": {None: (only, incident)},
        "compensating": {None: (undoing, undoing)},
        "ended": {None: (only_ends, ends), "cancel": (ends, cancelled)},
    }
    wrong = []
    for action, row in fields.items():
        for column, field in row.items():
            instances = columns[column].get(action, columns[column][None])
            expected = ("", "again") if field == "*again*, if cancelled" else FIELDS[field]
            found = tuple(outcome(web, one, action) for one in instances)
            if found != expected and not (action == "delete" and found == ("yes", "yes") == expected):
                wrong.append((action, column, field, found))
    for action, expected in (("compensate", "again"), ("retry", ""), ("fail", "")):
        if outcome(web, undone, action) != expected:
            wrong.append((action, "compensated", expected))
    if outcome(web, given_up, "compensate") != "yes" or outcome(web, given_up, "skip") != "":
        wrong.append(("given up",))
    assert not wrong, "\n".join(map(str, wrong))


if __name__ == "__main__":
    main()
