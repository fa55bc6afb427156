#!/usr/bin/env python3
"""usage.py - help, options, exit codes of bad usage, output that cannot be written, eval."""
import json
import os
import subprocess

from harness import PAWL, case, main

COMMANDS = ["run", "start", "ls", "show", "why", "log", "bookmarks", "resume", "cancel", "suspend", "continue",
            "delete", "incidents", "incident", "retry", "skip", "goto", "edit", "fail", "compensate", "rewind",
            "fork", "effects", "bulk", "calls", "breakers", "breaker", "deadletter", "sinks", "tasks", "complete",
            "claim", "release", "delegate", "comment", "send", "deploy", "definitions", "definition", "deprecate",
            "archive", "schedules", "worker", "jobs", "serve", "health", "doctor", "metrics", "log-level", "config",
            "token", "cleanup", "migrate", "backup", "restore", "check", "validate", "graph", "schema", "eval",
            "completion", "help", "version"]


@case("help lists every command with a line each, by groups")
def _(room):
    done = room.pawl("help").exits(0).silent()
    listed = [line.split()[0] for line in done.out.split("Options of every command")[0].splitlines()[6:] if line.startswith("  ")]
    assert listed == COMMANDS, listed
    titles = [line for line in done.out.split("Options of every command")[0].splitlines()[6:] if line and line[0] != " "]
    assert titles == ["Instances", "What goes wrong", "People and messages", "Definitions", "Workers", "Server and store", "Tools"], titles


@case("every command explains itself, with exit codes, in two ways that are the same")
def _(room):
    for command in COMMANDS:
        done = room.pawl("help", command).exits(0).says(f"pawl {command} - ", "Usage: pawl ", "Exit codes").silent()
        room.pawl(command, "--help").exits(0).prints(done.out)
        room.pawl("--help", command).exits(0).prints(done.out)
        room.pawl(command, "-h").exits(0).prints(done.out)


@case("help wins over whatever else is missing")
def _(room):
    room.pawl("resume", "--help").exits(0).says("--key KEY")
    room.pawl("--help").exits(0).says("Commands")


@case("version is one line, or JSON")
def _(room):
    done = room.pawl("version").exits(0).silent()
    assert done.out.startswith("pawl 0.") and done.out.count("\n") == 1, done.told()
    assert list(room.pawl("version", "--json").exits(0).json()) == ["version"]
    room.pawl("--version").exits(0).prints(done.out)


@case("no command, an unknown one and one nearly right are usage errors")
def _(room):
    room.pawl().exits(2).complains("no command is given").prints("")
    room.pawl("frobnicate").exits(2).complains("no command 'frobnicate'", "pawl help")
    room.pawl("deplyo").exits(2).complains("did you mean 'deploy'?")
    room.pawl("help", "evel").exits(2).complains("did you mean 'eval'?")


@case("an unknown option names the nearest that is known")
def _(room):
    room.pawl("run", "--inptu", "{}", "x.yaml").exits(2).complains("no option '--inptu'", "did you mean '--input'?")
    room.pawl("ls", "--statsu=waiting").exits(2).complains("did you mean '--status'?")
    room.pawl("ls", "--frobnicate").exits(2).complains("no option '--frobnicate'", "pawl help ls")
    room.pawl("ls", "-j").exits(2).complains("no option '-j'")


@case("an option without its value, with one too many, or given twice is refused")
def _(room):
    room.pawl("eval", ".", "--input").exits(2).complains("'--input' needs JSON")
    room.pawl("eval", "$x", "--arg", "x").exits(2).complains("'--arg' needs NAME and JSON")
    room.pawl("ls", "--json=yes").exits(2).complains("'--json' takes no value")
    room.pawl("eval", ".", "--input", "1", "--input", "2").exits(2).complains("given twice")
    room.pawl("eval", ".", "--db", "x").exits(2).complains("no option '--db'")
    room.pawl("ls", "--db", "").exits(2).complains("'--db' needs a store")


@case("arguments that are missing or too many are refused")
def _(room):
    room.pawl("run").exits(2).complains("FILE is missing")
    room.pawl("show").exits(2).complains("ID is missing")
    room.pawl("ls", "x").exits(2).complains("'x' is one argument too many")
    room.pawl("resume", "x", "--db", "y").exits(2).complains("--key is missing")


@case("a command on a store needs a store, by option or environment")
def _(room):
    for words in (["ls"], ["show", "x"], ["log", "x"], ["start", "x"], ["cancel", "x"], ["migrate"],
                  ["backup", "b.db"], ["restore", "b.db"], ["check"], ["resume", "x", "--key", "k"]):
        room.pawl(*words).exits(2).complains("--db", "PAWL_DB")


@case("a kind of store that is not there yet is bad usage")
def _(room):
    room.pawl("ls", "--db", "postgresql://localhost/x").exits(2).complains("postgresql", "sqlite:PATH")


@case("a store that does not exist is trouble, and is not made by looking")
def _(room):
    room.pawl("ls", "--db", "sqlite:none.db").exits(3).complains("none.db")
    room.pawl("start", "x", "--db", "none.db").exits(3).complains("none.db")
    assert not room.exists("none.db")


@case("numbers are checked")
def _(room):
    for bad in ("0", "1001", "-1", "x", "1x", "", "99999999999999999999"):
        room.pawl("ls", "--db", "x.db", f"--limit={bad}").exits(2).complains("'--limit' is a whole number from 1 to 1000")


@case("options may stand before and behind positionals, and -- ends them")
def _(room):
    room.pawl("eval", "--input", "[1,2]", ".[0]").exits(0).prints("1\n")
    room.pawl("eval", ".[1]", "--input=[1,2]").exits(0).prints("2\n")
    room.pawl("eval", "--", "-1").exits(0).prints("-1\n")
    room.pawl("eval", "--input", "7", "--", "-.").exits(0).prints("-7\n")


@case("errors are JSON on standard error when JSON is wanted")
def _(room):
    done = room.pawl("show", "x", "--db", "none.db", "--json").exits(3).prints("")
    error = json.loads(done.err)["error"]
    assert set(error) == {"code", "message"} and "none.db" in error["message"], done.told()


@case("eval prints one result a line")
def _(room):
    room.pawl("eval", ".[] | . * 2", "--input", "[1, 2.5, 3]").exits(0).prints("2\n5\n6\n").silent()
    room.pawl("eval", "empty").exits(0).prints("").silent()
    room.pawl("eval", ".").exits(0).prints("null\n")
    room.pawl("eval", "{a: $x, b: $y}", "--arg", "x", "1", "--arg", "y", '{"z": [true]}').exits(0).prints(
        '{"a":1,"b":{"z":[true]}}\n')


@case("eval leaves numbers as they were written")
def _(room):
    room.pawl("eval", ".", "--input", "[1.50, 12345678901234567890, 1e2]").exits(0).prints(
        "[1.50,12345678901234567890,1e2]\n")


@case("eval reads its input from a file or standard input")
def _(room):
    room.file("in.json", '{"a": [1, 2]}\n')
    room.pawl("eval", ".a | length", "--input", "@in.json").exits(0).prints("2\n")
    room.pawl("eval", ".a | length", "--input", "@-", send=b'{"a": [1,2,3]}').exits(0).prints("3\n")
    room.pawl("eval", ".", "--input", "@none.json").exits(2).complains("none.json")
    room.pawl("eval", ".", "--input", "@").exits(2).complains("@FILE")


@case("an expression that fails while running gives the results so far, the error object, and 1")
def _(room):
    done = room.pawl("eval", '1, error("no")').exits(1).prints("1\n")
    error = json.loads(done.err)
    assert error["type"].endswith("/errors/expression") and error["status"] == 400 and "no" in error["detail"], error
    done = room.pawl("eval", ".a.b", "--input", '{"a": 1}').exits(1).prints("")
    assert json.loads(done.err)["status"] == 400


@case("an expression that does not compile gives 2, with its position")
def _(room):
    room.pawl("eval", "1 +").exits(2).prints("").complains("pawl eval: ", "column")
    room.pawl("eval", ".a | nosuch(1)").exits(2).complains("nosuch")
    room.pawl("eval", "$x").exits(2).complains("x")


@case("an endless expression ends as an error")
def _(room):
    done = room.pawl("eval", "[range(1e18)] | length").exits(1)
    assert json.loads(done.err)["status"] == 400


@case("bad JSON is refused with line and column")
def _(room):
    room.pawl("eval", ".", "--input", '{"a": }').exits(2).complains("--input", "line 1, column 7")
    room.pawl("eval", ".", "--input", '{"a":\n  tru}').exits(2).complains("line 2, column")
    room.pawl("eval", "$x", "--arg", "x", "[1,").exits(2).complains("--arg x", "line 1, column")
    room.pawl("eval", "$x", "--arg", "1x", "1").exits(2).complains("--arg 1x", "variable's name")
    room.pawl("eval", ".", "--input", b"\"\xff\"").exits(2)


@case("a large input passes through")
def _(room):
    room.file("big.json", json.dumps([{"n": n, "text": "x" * 80} for n in range(50000)]))
    room.pawl("eval", "map(.n) | add", "--input", "@big.json").exits(0).prints("1249975000\n")


@case("a full disk behind standard output is trouble")
def _(room):
    with open("/dev/full", "wb") as full:
        for words in (["help"], ["eval", "1"], ["version"]):
            room.pawl(*words, stdout=full).exits(3).complains("cannot write to standard output")


@case("a reader that has had enough ends the output quietly")
def _(room):
    read_end, write_end = os.pipe()
    process = room.start("eval", "range(200000)", stdout=write_end)
    os.close(write_end)
    assert os.read(read_end, 2) == b"0\n"
    os.close(read_end)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == b"", (process.returncode, err)


@case("closed standard streams are no danger")
def _(room):
    def close_all():
        for fd in (0, 1, 2):
            os.close(fd)

    room.file("a.yaml", "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\ndo: []\n")
    process = subprocess.Popen([PAWL, "deploy", "a.yaml", "--db", "s.db"], cwd=room.path, preexec_fn=close_all,
                               env=room.env)
    assert process.wait(timeout=60) == 0
    with open(os.path.join(room.path, "s.db"), "rb") as file:
        assert file.read(15) == b"SQLite format 3"
    room.pawl("ls", "--db", "s.db").exits(0)


@case("validate says file, line, column and message of each finding")
def _(room):
    room.file("good.yaml", "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\ndo:\n  - x: {set: {a: 1}}\n")
    room.file("bad.yaml", "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\n"
                          "do:\n  - x:\n      sett: {a: 1}\n  - y:\n      set: {a: '${ 1 + }'}\n")
    room.pawl("validate", "good.yaml").exits(0).prints("").silent()
    done = room.pawl("validate", "good.yaml", "bad.yaml").exits(2)
    lines = done.out.splitlines()
    assert any(line.startswith("bad.yaml:3:") or line.startswith("bad.yaml:4:") for line in lines), done.told()
    assert any(line.startswith("bad.yaml:6:") for line in lines), done.told()
    assert not any(line.startswith("good.yaml") for line in lines), done.told()


@case("validate as JSON is a line per file")
def _(room):
    room.file("bad.yaml", "do: []\n")
    room.file("no.yaml", "a: [\n")
    done = room.pawl("validate", "bad.yaml", "no.yaml", "--json").exits(2)
    first, second = [json.loads(line) for line in done.out.splitlines()]
    assert first["file"] == "bad.yaml" and first["valid"] is False and first["findings"], first
    finding = second["findings"][0]
    assert finding["line"] >= 1 and finding["error"] is True and finding["message"], finding


@case("validate reads standard input, and misses no file")
def _(room):
    room.pawl("validate", "-", send=b"a: [\n").exits(2).says("standard input:")
    room.pawl("validate", "none.yaml").exits(2).complains("none.yaml")
    room.pawl("validate", ".").exits(2).complains("irectory")


@case("broken documents of every kind give 2 with a position")
def _(room):
    for name, text in (("empty", b""), ("null", b"\0\0"), ("binary", b"\xff\xfe\x00"), ("tab", b"a:\n\t- b\n"),
                       ("list", b"- a\n"), ("json", b'{"document": }'), ("alias", b"a: *b\n"), ("text", b"hello\n")):
        room.file(name, text)
        done = room.pawl("validate", name).exits(2)
        assert done.out.startswith(f"{name}:"), done.told()
        assert done.out.split(":")[1].isdigit() and done.out.split(":")[2].isdigit(), done.told()


@case("text that would drive the terminal is escaped")
def _(room):
    room.pawl("show", "\x1b[2Jx", "--db", "none\x1b.db").exits(3).complains("\\u001b")


@case("what the shown examples of definitions say is valid")
def _(room):
    examples = os.path.join(os.path.dirname(__file__), "..", "..", "examples")
    files = [os.path.abspath(os.path.join(examples, name)) for name in sorted(os.listdir(examples)) if name.endswith(".yaml")]
    assert len(files) >= 3, files
    room.pawl("validate", *files).exits(0).prints("")


if __name__ == "__main__":
    main()
