#!/usr/bin/env python3
"""diagnostics.py - `pawl validate` for tools: codes, JSON, SARIF 2.1.0; what is not portable; the schema."""
import json

from harness import case, main

HEAD = "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\n"

MANY = HEAD + """\
use:
  retries: { often: { delay: soon } }
do:
  - first: { set: { x: .name }, then: secnod }
  - second: { sett: 1 }
  - third: { if: ".x | }", set: { x: 1 } }
  - fourth: { try: [], catch: { retry: oftn } }
"""

# What SARIF 2.1.0 requires of each object that is written (the members that must be there, and those that may).
SARIF = {
    "log": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool"}, {"results", "columnKind", "invocations"}),
    "driver": ({"name"}, {"version", "rules"}),
    "rule": ({"id"}, {"shortDescription", "help", "defaultConfiguration"}),
    "result": ({"message"}, {"ruleId", "ruleIndex", "level", "locations"}),
    "location": (set(), {"physicalLocation", "logicalLocations"}),
    "physical": ({"artifactLocation"}, {"region"}),
    "region": (set(), {"startLine", "startColumn"}),
}


def known(kind, thing):
    must, may = SARIF[kind]
    assert must <= set(thing) <= must | may, (kind, sorted(thing))
    return thing


def sarif(text, files):
    """Checks the log by the standard's rules; gives its results and rules."""
    log = known("log", json.loads(text))
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    known("run", run)
    assert set(run["tool"]) == {"driver"}
    driver = known("driver", run["tool"]["driver"])
    assert driver["name"] == "pawl" and run["columnKind"] == "unicodeCodePoints"
    rules = [known("rule", rule) for rule in driver["rules"]]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["shortDescription"]["text"] and rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("error", "warning")
    for result in run["results"]:
        known("result", result)
        assert result["message"]["text"] and rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == rules[result["ruleIndex"]]["defaultConfiguration"]["level"]
        (location,) = result["locations"]
        physical = known("physical", known("location", location)["physicalLocation"])
        assert physical["artifactLocation"]["uri"] in files, physical
        region = physical.get("region")
        assert region is None or (known("region", region)["startLine"] >= 1 and region["startColumn"] >= 1)
    return run, rules


@case("everything that is wrong is found in one pass, with place, code and advice")
def _(room):
    room.file("many.yaml", MANY)
    done = room.pawl("validate", "many.yaml").exits(2).silent()
    lines = done.out.splitlines()
    assert lines[5].startswith("many.yaml:7:24: expression: "), lines[5]
    assert lines[:5] + lines[6:] == [
        "many.yaml:3:21: warning: nothing limits these retries; set limit.attempt.count or limit.duration",
        "many.yaml:3:30: 'soon' is not a duration like PT1H30M, P1DT12H, 1.02:30:00 ([d.]hh:mm:ss) or 90s (ms, s, m, h, "
        "d), or it is too long",
        "many.yaml:5:24: warning: this is literal text; if it is meant as an expression write \"${ .name }\"",
        "many.yaml:5:39: no task named 'secnod' in this list; 'then' is continue, exit, end or a task of the same "
        "list; did you mean 'second'?",
        "many.yaml:6:15: unknown member 'sett'; did you mean 'set'?",
        "many.yaml:8:40: no retry policy named 'oftn' in 'use.retries'; did you mean 'often'?"], done.told()
    (line,) = room.pawl("validate", "many.yaml", "--json").exits(2).out.splitlines()
    answer = json.loads(line)
    assert list(answer) == ["file", "valid", "findings"] and answer["valid"] is False, answer
    assert [finding["code"] for finding in answer["findings"]] == [
        "retry-without-limit", "wrong-value", "literal-expression", "unknown-name", "unknown-member", "expression",
        "unknown-name"]
    for finding in answer["findings"]:
        assert list(finding) == ["line", "column", "error", "code", "pointer", "message", "advice"], finding
        assert finding["advice"] and isinstance(finding["error"], bool)
    assert answer["findings"][4]["pointer"] == "/do/1/second/sett", answer
    room.pawl("validate", "--format", "json", "many.yaml").exits(2).prints(line + "\n")


@case("a hundred findings are listed, and the rest is counted")
def _(room):
    room.file("all.yaml", HEAD + "do:\n" + "".join(f"  - t{i}: {{ wat: 1 }}\n" for i in range(130)))
    done = room.pawl("validate", "all.yaml").exits(2)
    assert len(done.out.splitlines()) == 101, done.told()
    done.says("all.yaml:1:1: 30 more errors are not listed\n")


@case("warnings do not make a document invalid")
def _(room):
    room.file("warn.yaml", HEAD + "do:\n  - a: { set: { x: 1 }, then: end }\n  - b: { set: { x: 1 }, then: b }\n")
    room.pawl("validate", "warn.yaml").exits(0).prints(
        "warn.yaml:4:5: warning: nothing leads to 'b': the task before it goes elsewhere, and no 'then' names it\n"
        "warn.yaml:4:5: warning: this goes back to 'b', and nothing between the two waits, calls or emits: make sure "
        "that the loop ends\n")
    answer = room.pawl("validate", "warn.yaml", "--json").exits(0).json()
    assert answer["valid"] is True
    assert [finding["code"] for finding in answer["findings"]] == ["unreachable-task", "loop-without-boundary"], answer


@case("SARIF is one log of all files, with rules, levels and regions")
def _(room):
    room.file("many.yaml", MANY)
    room.file("a b.yaml", HEAD + 'do:\n  - "é😀": { sett: 1 }\n')
    room.file("good.yaml", HEAD + "do: []\n")
    done = room.pawl("validate", "--format", "sarif", "many.yaml", "a b.yaml", "good.yaml").exits(2).silent()
    run, rules = sarif(done.out, {"many.yaml", "a%20b.yaml"})
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("retry-without-limit", "warning"), ("wrong-value", "error"), ("literal-expression", "warning"),
        ("unknown-name", "error"), ("unknown-member", "error"), ("expression", "error"), ("unknown-name", "error"),
        ("unknown-member", "error")]
    assert run["invocations"] == [{"executionSuccessful": True}]
    assert {"syntax", "missing-member", "not-portable"} <= {rule["id"] for rule in rules}
    location = run["results"][-1]["locations"][0]
    assert location["logicalLocations"] == [{"fullyQualifiedName": "/do/0/é😀/sett"}], location
    # columns are characters there, bytes in the other formats
    assert location["physicalLocation"]["region"] == {"startLine": 3, "startColumn": 13}, location
    room.pawl("validate", "a b.yaml").exits(2).says("a b.yaml:3:17: ")


@case("a SARIF log without findings, of standard input, and of a file that is not there")
def _(room):
    done = room.pawl("validate", "--format", "sarif", "-", send=(HEAD + "do: []\n").encode()).exits(0)
    run, _ = sarif(done.out, set())
    assert run["results"] == []
    done = room.pawl("validate", "--format=sarif", "-", send=b"a: [\n").exits(2)
    run, _ = sarif(done.out, {"standard%20input"})
    assert run["results"][0]["ruleId"] == "syntax"
    done = room.pawl("validate", "--format=sarif", "none.yaml").exits(2).complains("none.yaml")
    run, _ = sarif(done.out, set())
    assert run["invocations"] == [{"executionSuccessful": False}]


@case("an unknown format is refused, and so is one beside --json")
def _(room):
    room.pawl("validate", "--format", "xml", "x").exits(2).complains("text, json or sarif, not 'xml'")
    room.pawl("validate", "--json", "--format", "sarif", "x").exits(2).complains("contradict")


@case("what only this engine understands is listed with --portable")
def _(room):
    room.file("ours.yaml", HEAD + "do:\n  - a: { call: userTask }\n  - b: { call: measure }\n")
    room.pawl("validate", "ours.yaml").exits(0).prints("")
    room.pawl("validate", "--portable", "ours.yaml").exits(0).prints(
        "ours.yaml:3:16: warning: only pawl knows 'call: userTask'\n"
        "ours.yaml:4:16: warning: only pawl looks for 'measure' among the functions of its process\n")


@case("schema prints a JSON Schema, and what it forbids is refused")
def _(room):
    schema = room.pawl("schema").exits(0).silent().json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for part in ("document", "task"):
        assert schema["$defs"][part]["additionalProperties"] is False
    room.file("x.yaml", HEAD + "do:\n  - a: { set: { x: 1 }, metadata: { pawl: { resilence: {} } } }\n")
    room.pawl("validate", "x.yaml").exits(2).says("did you mean 'resilience'?")


if __name__ == "__main__":
    main()
