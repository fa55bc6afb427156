#!/usr/bin/env python3
"""config.py - `pawl config`: where settings come from, and what is told of those that are wrong."""
import json
import os
import re

from harness import ROOT, Room, Skip, case, main

Room.settings = {}  # they are what this is about

# The two blocks of the requirements, as they stand there.
FIRST = """{
  "WorkflowResilience": {
    "Retry": { "MaxRetryAttempts": 3, "BaseDelay": "00:00:01", "MaxDelay": "00:00:30" },
    "CircuitBreaker": { "FailureThreshold": 5, "BreakDuration": "00:01:00", "MinimumThroughput": 10 },
    "Timeout": { "DatabaseOperation": "00:00:30", "ExternalHttpCall": "00:01:00", "ActivityExecution": "00:05:00" }
  }
}
"""
PRODUCTION = """{
  "Workflow": {
    "OutboxProcessing": { "BatchSize": 50, "ProcessingInterval": "00:00:10", "MaxRetryAttempts": 5 },
    "TimerProcessing": { "CheckInterval": "00:00:30", "BatchSize": 100, "TimeoutThreshold": "1.00:00:00" },
    "Cleanup": { "RunInterval": "02:00:00", "CompletedWorkflowRetention": "90.00:00:00", "ExecutionLogRetention": "365.00:00:00" }
  },
  "WorkflowResilience": {
    "Retry": { "MaxRetryAttempts": 5, "BaseDelay": "00:00:02", "MaxDelay": "00:02:00" },
    "CircuitBreaker": { "FailureThreshold": 10, "BreakDuration": "00:05:00" }
  }
}
"""


def settings(room, *words, **more):
    done = room.pawl("config", "--json", *words, **more).exits(0).silent()
    return {setting["key"]: setting for setting in done.json()["settings"]}


def flat(value, prefix=""):
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from flat(inner, f"{prefix}{key}:")
        else:
            yield prefix + key, inner


@case("the two blocks of the requirements are in effect as they stand there")
def _(room):
    for text in (FIRST, PRODUCTION):
        room.file("pawl.json", text)
        found = settings(room, "--config", "pawl.json")
        expected = dict(flat(json.loads(text)))
        assert len(expected) in (9, 14)
        for key, value in expected.items():
            assert found[key]["value"] == value and found[key]["source"] == "file", found[key]
        rest = [setting for key, setting in found.items() if key not in expected]
        assert rest and all(s["source"] == "default" and s["value"] == s["default"] for s in rest), rest


@case("a flag goes before the environment, that before the file, that before the default")
def _(room):
    room.file("pawl.yaml", "Server:\n  Workers: 2\n  IdleTimeout: 5m\n  MaxWait: 20s\n")
    env = {"Server__Workers": "3", "Server__IdleTimeout": "PT6M"}
    found = settings(room, "--config", "pawl.yaml", "--set", "Server:Workers=4", env=env)
    assert [(found[f"Server:{key}"]["value"], found[f"Server:{key}"]["where"])
            for key in ("Workers", "IdleTimeout", "MaxWait", "RequestTimeout")] == [
                (4, "flag"), ("00:06:00", "environment"), ("00:00:20", "pawl.yaml:4"), ("00:01:00", "default")]


@case("the options of serve are settings, and the old names of the environment are")
def _(room):
    found = settings(room, "--db", "a.db", "--listen", "[::1]:0", "--tls-cert", "c.pem", "--tls-key", "k.pem", "--auth",
                     "--insecure", env={"PAWL_DB": "b.db", "PAWL_EGRESS_MAP": "https://a=b:1", "PAWL_EGRESS_CA": "ca.pem",
                          "PAWL_EGRESS_ALLOW": "loopback"})
    assert [(found[key]["value"], found[key]["source"]) for key in (
        "Store:Uri", "Server:Listen", "Server:Tls:Certificate", "Server:Tls:Key", "Server:Authentication",
        "Server:Insecure", "Engine:EgressMap", "Engine:EgressCa", "Engine:EgressAllow")] == [
            ("a.db", "flag"), ("[::1]:0", "flag"), ("c.pem", "flag"), ("k.pem", "flag"), (True, "flag"), (True, "flag"),
            ("https://a=b:1", "environment"), ("ca.pem", "environment"), ("loopback", "environment")]
    assert settings(room, env={"PAWL_DB": "b.db"})["Store:Uri"]["value"] == "b.db"
    assert settings(room, env={"PAWL_DB": "b.db", "Store__Uri": "c.db"})["Store:Uri"]["value"] == "c.db"


HEAVY = """document: { dsl: 1.0.0, namespace: t, name: heavy, version: 1.0.0 }
do:
  - count: { set: { n: "${ [range(100000)] | length }" } }
"""
ASK = """document: { dsl: 1.0.0, namespace: t, name: ask, version: 1.0.0 }
do:
  - ask: { call: userTask, with: { title: "Well?" } }
"""


@case("every command that opens a store reads the file and the environment")
def _(room):
    room.file("heavy.yaml", HEAVY)
    room.file("pawl.yaml", "Engine: { ExpressionFuel: 5000 }\n")
    assert room.pawl("run", "heavy.yaml").exits(0).json() == {"n": 100000}
    room.pawl("run", "heavy.yaml", "--config", "pawl.yaml").exits(1).complains("fuel")
    room.pawl("run", "heavy.yaml", env={"Engine__ExpressionFuel": "5000"}).exits(1).complains("fuel")
    room.pawl("run", "heavy.yaml", "--config", "pawl.yaml", env={"Engine__ExpressionFuel": "10000000"}).exits(0)
    room.pawl("--config", "pawl.yaml", "deploy", "heavy.yaml", "--db", "a.db").exits(0)
    room.pawl("start", "t/heavy", "--db", "a.db", "--config", "pawl.yaml", "--id", "one", "--until", "end").exits(1)
    room.pawl("start", "t/heavy", "--db", "a.db", "--id", "two", "--until", "end").exits(0)


@case("a wrong setting stops a command before it makes a store")
def _(room):
    room.file("heavy.yaml", HEAVY)
    room.file("pawl.yaml", "Engine: { StepThreads: 65 }\n")
    room.pawl("run", "heavy.yaml", "--db", "a.db", "--config", "pawl.yaml").exits(2).prints("").complains(
        "pawl run: pawl.yaml:1: Engine:StepThreads: '65' must be a whole number from 0 to 64\n")
    room.pawl("deploy", "heavy.yaml", "--db", "a.db", env={"WorkflowResilience__Retry__MaxDelay": "1ms"}).exits(2).complains(
        "environment: WorkflowResilience:Retry:MaxDelay: '00:00:00.001' must not be shorter than "
        "WorkflowResilience:Retry:BaseDelay, which is 00:00:01 (default)\n")
    room.pawl("run", "heavy.yaml", "--db", "a.db", env={"WorkflowResilience__Faults__Table__activity__timeout": "error"}).exits(
        2).complains("environment: WorkflowResilience:Faults:Table:activity:timeout: 'error' 'activity:timeout' must be retry, "
                     "retry-at-once, incident or suspend, not 'error'\n")
    room.pawl("run", "heavy.yaml", "--db", "a.db", "--config", "none.yaml").exits(2).complains(
        "cannot open the configuration 'none.yaml'")
    assert not room.exists("a.db")


@case("the store of a file is that of every command, behind an option and PAWL_DB, and hints name the file")
def _(room):
    room.file("ask.yaml", ASK)
    room.file("pawl.yaml", "Store: { Uri: a.db }\n")
    config = ("--config", "pawl.yaml")
    done = room.pawl("run", "ask.yaml", "--id", "one", *config).exits(4)
    assert room.exists("a.db") and " --config pawl.yaml" in done.err + done.out, done.told()
    assert [i["name"] for i in room.pawl("ls", "--json", *config).exits(0).json()["instances"]] == ["ask"]
    assert room.pawl("ls", "--json", env={"Store__Uri": "a.db"}).exits(0).json()["instances"][0]["name"] == "ask"
    assert len(room.pawl("tasks", "--all", "--json", *config).exits(0).json()["bookmarks"]) == 1
    room.pawl("migrate", *config).exits(0).says("is current")
    room.pawl("deploy", "ask.yaml", "--db", "b.db", *config).exits(0)
    room.pawl("deploy", "ask.yaml", *config, env={"PAWL_DB": "c.db"}).exits(0)
    assert room.exists("b.db") and room.exists("c.db")
    assert room.pawl("ls", "--json", "--db", "b.db", *config).exits(0).json()["instances"] == []
    room.pawl("ls", "--server", "http://127.0.0.1:1", *config).exits(2).complains("--config is for a store")
    room.pawl("ls").exits(2).complains("which store?")


@case("for people it is a line a setting, and a key alone gives its value alone")
def _(room):
    done = room.pawl("config", "--set", "Server:Listen=localhost:1").exits(0).silent()
    lines = done.out.splitlines()
    assert all(re.fullmatch(r"\S+ +.*(default|flag)", line) for line in lines), done.told()
    assert [line.split()[0] for line in lines] == [one["key"] for one in room.pawl("config", "--json").json()["settings"]], done.told()
    room.pawl("config", "Server:Listen").exits(0).prints("127.0.0.1:8080\n")
    room.pawl("config", "Workflow:Cleanup:RunInterval", "--set", "Workflow:Cleanup:RunInterval=90m").prints("01:30:00\n")
    room.pawl("config", "Server:Insecure").exits(0).prints("false\n")
    assert room.pawl("config", "Jobs:Lease", "--json").json()["default"] == "00:01:00"
    room.pawl("config", "server:listen").exits(2).complains("no key 'server:listen': did you mean 'Server:Listen'?")
    room.pawl("config", "zzz").exits(2).complains("`pawl config` lists them")


@case("every problem is told, each with its key, value and place, and what would be right")
def _(room):
    room.file("pawl.yaml", "Server:\n  Lissen: a:1\n  Workers: 0\nEngine:\n  StepThreads: '4'\n")
    done = room.pawl("config", "--config", "pawl.yaml", "--set", "Jobs:Lease=1y", "--set", "Workers",
                     env={"Workflow__Cleanup__RunInterval": "24:00:00"}).exits(2).prints("")
    assert done.err == (
        "pawl config: pawl.yaml:2: Server:Lissen: there is no such key; did you mean 'Server:Listen'?\n"
        "pawl config: pawl.yaml:3: Server:Workers: '0' must be a whole number from 1 to 1024\n"
        "pawl config: pawl.yaml:5: Engine:StepThreads: '4' must be a whole number from 0 to 64; this is text\n"
        "pawl config: environment: Workflow:Cleanup:RunInterval: '24:00:00' must be a duration from 00:00:00.001 to "
        "365.00:00:00, as text like 00:00:30, 1.00:00:00 ([d.]hh:mm:ss), PT30S, 30s or 1h30m\n"
        "pawl config: flag: Jobs:Lease: '1y' must be a duration from 00:00:01 to 01:00:00, as text like 00:00:30, "
        "1.00:00:00 ([d.]hh:mm:ss), PT30S, 30s or 1h30m\n"
        "pawl config: --set needs KEY=VALUE, not 'Workers'\n"), done.told()
    error = json.loads(room.pawl("config", "--config", "pawl.yaml", "--json").exits(2).err)["error"]
    assert error == {"code": "invalid", "message":
                     "pawl.yaml:2: Server:Lissen: there is no such key; did you mean 'Server:Listen'?"}, error


@case("what holds between keys is told with both places")
def _(room):
    room.file("pawl.json", '{"WorkflowResilience":\n {"Retry": {"MaxDelay": "00:00:02"}}}')
    room.pawl("config", "--config", "pawl.json", "--set", "WorkflowResilience:Retry:BaseDelay=3s").exits(2).complains(
        "pawl config: pawl.json:2: WorkflowResilience:Retry:MaxDelay: '00:00:02' must not be shorter than "
        "WorkflowResilience:Retry:BaseDelay, which is 00:00:03 (flag)\n")


@case("a file that is not there, cannot be read, or is none, is told")
def _(room):
    room.pawl("config", "--config", "no.yaml").exits(2).complains("cannot open the configuration 'no.yaml'")
    os.mkdir(os.path.join(room.path, "folder"))
    room.pawl("config", "--config", "folder").exits(2).complains("the configuration 'folder' is not a file")
    room.file("broken.yaml", "Server: [\n")
    room.pawl("config", "--config", "broken.yaml").exits(2).complains("pawl config: broken.yaml:2: not YAML: ")
    room.file("broken.json", '{"Server": {"Workers": 2,}}')
    room.pawl("config", "--config", "broken.json").exits(2).complains("pawl config: broken.json: JSON line 1, column 26")


@case("no password is shown, right or wrong")
def _(room):
    done = room.pawl("config", "--set", "Store:Uri=postgresql://pawl:s3cret@db/pawl").exits(0)
    assert "s3cret" not in done.out + done.err and "postgresql://pawl:***@db/pawl" in done.out, done.told()
    done = room.pawl("config", "--set", "Store:Uri=postgresql://pawl:s3cret@db/\n").exits(2)
    assert "s3cret" not in done.out + done.err, done.told()


@case("doc/configuration.md is what the program prints")
def _(room):
    with open(os.path.join(ROOT, "doc", "configuration.md"), encoding="utf-8") as file:
        room.pawl("config", "--manual").exits(0).silent().prints(file.read())


@case("the example configuration is good, and names only defaults but for what it says")
def _(room):
    found = settings(room, "--config", os.path.join(ROOT, "dist", "pawl.yaml"))
    other = sorted(key for key, setting in found.items() if setting["value"] != setting["default"])
    production = set(dict(flat(json.loads(PRODUCTION)))) - {"Workflow:TimerProcessing:TimeoutThreshold"}  # as the default
    assert other == sorted({"Store:Uri"} | production), other


@case("the schema takes the blocks of the requirements, and refuses what the program refuses")
def _(room):
    schema = room.pawl("config", "--schema").exits(0).silent().json()
    retry = schema["properties"]["WorkflowResilience"]["properties"]["Retry"]
    assert retry["properties"]["MaxRetryAttempts"]["default"] == 3 and retry["additionalProperties"] is False
    assert schema["properties"]["Jobs"]["properties"]["Functions"]["additionalProperties"]["properties"]["Rate"]
    try:
        import jsonschema  # pylint: disable=import-outside-toplevel
    except ImportError as why:
        raise Skip("python3-jsonschema is not installed") from why
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema).is_valid
    assert check(json.loads(FIRST)) and check(json.loads(PRODUCTION))
    for text, good in (('{"Server": {"Workers": 2}}', True), ('{"Server": {"Workers": "2"}}', False),
                       ('{"Server": {"Workers": 0}}', False), ('{"Server": {"Wrkers": 2}}', False), ('{"X": {}}', False),
                       ('{"Server": {"IdleTimeout": "1h30m"}}', True), ('{"Server": {"IdleTimeout": 30}}', False),
                       ('{"Server": {"IdleTimeout": "PT1M"}}', True), ('{"Server": {"IdleTimeout": "soon"}}', False),
                       ('{"Server": {"Insecure": "true"}}', False), ('{"Server": {"Listen": ["a:1", "b:2"]}}', True),
                       ('{"Server": {"MaxBody": "1MiB"}}', True), ('{"Server": {"MaxBody": "1MB"}}', False),
                       ('{"Jobs": {"Functions": {"a": {"Rate": "90/m"}}}}', True),
                       ('{"Engine": {"EgressAllow": ["loopback", "10.0.0.0/8"]}}', True),
                       ('{"Engine": {"EgressAllow": 1}}', False),
                       ('{"WorkflowResilience": {"OnUnknownOutcome": "ask"}}', True),
                       ('{"WorkflowResilience": {"OnUnknownOutcome": "maybe"}}', False),
                       ('{"WorkflowResilience": {"Faults": {"Table": {"activity": {"timeout": "incident"}}}}}', True),
                       ('{"WorkflowResilience": {"Faults": {"Table": {"activity": {"timeout": "never"}}}}}', False),
                       ('{"Jobs": {"Functions": {"a": {"Rat": 1}}}}', False), ('{"Server": null}', True)):
        room.file("a.json", text)
        code = room.pawl("config", "--config", "a.json").code
        assert check(json.loads(text)) == good and code == (0 if good else 2), (text, code)


if __name__ == "__main__":
    main()
