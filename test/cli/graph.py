#!/usr/bin/env python3
"""graph.py - `pawl graph`: what is drawn, in three formats, against drawings that are written out in graph/."""
import json
import os
import shutil
import subprocess

from harness import ROOT, Skip, case, main

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "graph")


def document(name):
    return os.path.join(HERE, f"{name}.yaml")


def expected(name, ending):
    with open(os.path.join(HERE, f"{name}.{ending}"), encoding="utf-8") as file:
        return file.read()


def graph(room, name, *words):
    return room.pawl("graph", document(name), *words).exits(0)


@case("all constructs as Mermaid: order, then, cases, nesting, catch and retry, functions, end")
def _(room):
    graph(room, "all").prints(expected("all", "mmd"))
    graph(room, "all", "--format", "mermaid").prints(expected("all", "mmd"))


@case("all constructs in DOT")
def _(room):
    graph(room, "all", "--format", "dot").prints(expected("all", "dot"))


@case("all constructs as JSON")
def _(room):
    done = graph(room, "all", "--json")
    assert done.json() == json.loads(expected("all", "json")), done.told()
    assert done.out.count("\n") == 1
    graph(room, "all", "--format=json").prints(done.out)


@case("names with quotes, markup, line breaks and other scripts break out of no format")
def _(room):
    graph(room, "names").prints(expected("names", "mmd"))
    graph(room, "names", "--format", "dot").prints(expected("names", "dot"))
    assert graph(room, "names", "--json").json() == json.loads(expected("names", "json"))


@case("what undoes a task stands beside it, and so does who is asked about its incident")
def _(room):
    graph(room, "undo").prints(expected("undo", "mmd"))
    graph(room, "undo", "--format", "dot").prints(expected("undo", "dot"))
    assert graph(room, "undo", "--json").json() == json.loads(expected("undo", "json"))


@case("a schedule stands before the start, with when it is due")
def _(room):
    head = "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\ndo: [{x: {set: {y: 1}}}]\n"
    for number, (schedule, label) in enumerate((
            ("every: PT1H", "every PT1H"),
            ("after: {minutes: 5}", "after {#quot;minutes#quot;:5}"),
            ("cron: 0 9 1 1 mon", "cron 0 9 1 1 mon in UTC"),
            ("on: {one: {with: {type: order.paid}}}", "on one order.paid"))):
        room.file(f"{number}.yaml", head + "schedule: {%s}\n" % schedule)
        lines = room.pawl("graph", f"{number}.yaml").exits(0).out.splitlines()
        assert f'  t1["schedule {label}"]' == lines[1].replace("#35;", "#"), lines
        assert "  t1 --> start" in lines, lines


@case("Graphviz reads what is written in DOT")
def _(room):
    if not shutil.which("dot"):
        raise Skip("there is no dot")
    for name in ("all", "names", "undo"):
        done = graph(room, name, "--format", "dot")
        subprocess.run(["dot", "-Tsvg", "-o", os.devnull], input=done.raw, check=True)


@case("in every example each edge leads from a node to a node, and all but the functions hang together")
def _(room):
    folder = os.path.join(ROOT, "examples")
    files = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".yaml"))
    assert files
    for path in files:
        drawn = room.pawl("graph", path, "--json").exits(0).json()
        nodes = {node["id"] for node in drawn["nodes"]}
        groups = {group["id"] for group in drawn["groups"]}
        assert len(nodes) == len(drawn["nodes"]) and len(groups) == len(drawn["groups"])
        for edge in drawn["edges"]:
            assert edge["from"] in nodes and edge["to"] in nodes, edge
        for thing in drawn["nodes"] + drawn["groups"]:
            assert thing.get("group", next(iter(groups), None)) in groups or "group" not in thing, thing
        reached = set()
        more = ["start", *(node["id"] for node in drawn["nodes"] if node["kind"] == "schedule")]
        while more:
            here = more.pop()
            if here not in reached:
                reached.add(here)
                more += [edge["to"] for edge in drawn["edges"] if edge["from"] == here]
        assert reached == nodes, (path, nodes - reached)


@case("a document with errors is not drawn")
def _(room):
    room.file("bad.yaml", "do: 1\n")
    room.pawl("graph", "bad.yaml").exits(2).complains("bad.yaml:1:1: 'document' is missing").prints("")
    room.pawl("graph", "none.yaml").exits(2).complains("none.yaml").prints("")


@case("an unknown format is refused; standard input is read")
def _(room):
    room.pawl("graph", "x", "--format", "png").exits(2).complains("mermaid, dot or json, not 'png'")
    room.pawl("graph", "x", "--format", "dot", "--json").exits(2).complains("contradict")
    with open(document("all"), "rb") as file:
        room.pawl("graph", "-", send=file.read()).exits(0).prints(expected("all", "mmd"))


if __name__ == "__main__":
    main()
