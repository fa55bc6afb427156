#!/usr/bin/env python3
"""sizes.py - large documents and large data through the commands: as they came, or refused with the limit."""
import json

from harness import case, main

MIB = 1 << 20
HEAD = "document: {dsl: 1.0.3, namespace: t, name: size, version: 1.0.0}\ndo:\n"
PASS = HEAD + """  - keep: {set: '${ $input + {kept: true} }'}
  - each:
      for: {each: line, in: '.lines[0:3]'}
      do: [{add: {set: '${ $input + {n: ($input.n + $line.id)} }'}}]
  - ask: {call: userTask, with: {key: answer, data: '${ . }'}, output: {as: '${ $input + {answer: .} }'}}
  - last: {set: '${ . + {lines: .lines[0:4], count: (.lines | length), text: .text} }'}
"""


def lines(size):
    """JSON of nearly so many bytes: half of it a list, half one string, with all that JSON has."""
    text, made = "\u00e4\u20ac\U0001f600\\\" \t\u0001" * 8, []
    one = len(json.dumps({"id": 100000, "text": text}, ensure_ascii=False).encode()) + 2
    for i in range(size // 2 // one):
        made.append({"id": i, "text": text})
    value = {"n": 0, "lines": made, "text": ""}
    value["text"] = "x" * (size - len(json.dumps(value, ensure_ascii=False).encode()))
    return value, json.dumps(value, ensure_ascii=False)


def pass_through(room, size):
    value, text = lines(size)
    room.file("in.json", text)
    room.file("pass.yaml", PASS)
    room.pawl("run", "pass.yaml", "--input", "@in.json", "--db", "s.db", "--quiet").exits(4)
    listed = room.pawl("ls", "--db", "s.db", "--json").exits(0).json()["instances"]
    name = listed[0]["id"]
    shown = room.pawl("show", name, "--db", "s.db", "--json").exits(0).json()
    assert shown["input"] == value
    log = room.pawl("log", name, "--db", "s.db", "--json").exits(0).out
    assert any(entry.get("input") == value for line in log.splitlines() for entry in entries_of(json.loads(line)))
    return name, value


def entries_of(step):
    for one in step.get("steps", [step]):
        yield from one.get("entries", [one])


@case("a mebibyte goes through start, set, for, a question, show, log and output as it came")
def _(room):
    name, value = pass_through(room, MIB)
    answer = {"big": "y" * MIB}
    room.file("answer.json", json.dumps(answer))
    room.pawl("resume", name, "--key", "answer", "--data", "@answer.json", "--db", "s.db").exits(0)
    shown = room.pawl("show", name, "--db", "s.db", "--json").exits(0).json()
    assert shown["status"] == "completed", shown["status"]
    output = shown["output"]
    assert output["text"] == value["text"] and output["lines"] == value["lines"][0:4]
    assert output["count"] == len(value["lines"]) and output["n"] == 3 and output["kept"] is True
    assert output["answer"]["big"] == answer["big"]


@case("fifteen mebibytes do, too")
def _(room):
    pass_through(room, 15 * MIB)


@case("an input above sixteen mebibytes is refused with the limit")
def _(room):
    room.file("pass.yaml", PASS)
    room.file("in.json", json.dumps({"text": "x" * (16 * MIB)}))
    done = room.pawl("run", "pass.yaml", "--input", "@in.json", "--db", "s.db").exits(2)
    assert "16777216" in done.err or "16 MiB" in done.err, done.told()


@case("a document of ten thousand tasks is checked, deployed, drawn and run")
def _(room):
    room.file("flat.yaml", HEAD + "".join("  - t%d: {set: {n: '${ .n + 1 }'}}\n" % i for i in range(10000)))
    room.pawl("validate", "flat.yaml").exits(0)
    room.pawl("deploy", "flat.yaml", "--db", "s.db").exits(0)
    room.pawl("run", "flat.yaml", "--db", "s.db", "--quiet", "--input", '{"n": 0}').exits(0).prints('{\n  "n": 10000\n}\n')
    graph = room.pawl("graph", "flat.yaml", "--format", "json").exits(0).json()
    assert len(graph["nodes"]) >= 10000
    name = room.pawl("ls", "--db", "s.db", "--json").exits(0).json()["instances"][0]["id"]
    log = room.pawl("log", name, "--db", "s.db", "--json").exits(0).out
    assert log.count('"task.completed"') == 10000


@case("a document of ten thousand tasks with a mistake in the last is told its line")
def _(room):
    room.file("flat.yaml", HEAD + "".join("  - t%d: {set: {n: '${ .n + 1 }'}}\n" % i for i in range(9999))
              + "  - last: {set: {n: 1}, then: t1000000}\n")
    done = room.pawl("validate", "flat.yaml").exits(2)
    assert "10002" in done.out + done.err, done.told()


if __name__ == "__main__":
    main()
