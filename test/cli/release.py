#!/usr/bin/env python3
"""release.py - what a release says of itself: its manual pages, its dependencies, its schema."""
import os
import re
import shutil
import subprocess
import sys

from harness import PAWL, ROOT, Skip, case, main


def text(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def pages(room):
    done = room.finish(room.start(os.path.join(ROOT, "tools", "install_pages.py"), "--to", room.path + "/man", PAWL, ROOT, program=sys.executable))
    assert done.code == 0, done.told()
    return sorted(os.listdir(room.path + "/man"))


@case("each command has a page of the manual, which groff takes without a warning")
def _(room):
    names = pages(room)
    commands = [line.split()[0] for line in room.pawl("help").out.split("Options of every command")[0].splitlines()[6:] if line.startswith("  ")]
    assert names == sorted(["pawl.1", "pawl.yaml.5", "libpawl.3", *(f"pawl-{command}.1" for command in commands)]), names
    if not shutil.which("groff"):
        raise Skip("there is no groff")
    for name in names:
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-wall", f"{room.path}/man/{name}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding="utf-8", env={**os.environ, "GROFF_NO_SGR": "1"}, check=False)
        assert done.returncode == 0 and done.stderr == "", (name, done.stderr)
    with open(f"{room.path}/man/pawl-backup.1", encoding="utf-8") as file:
        page = file.read()
    assert "pawl\\-backup \\- copy a store into a file while it works" in page, page


@case("a page says what the help says, and escapes what roff would take for its own")
def _(room):
    page = room.pawl("help", "run", "--man").exits(0).silent().out
    plain = re.sub(r"\\f[BIR]", "", page).replace("\\-", "-").replace("\\(aq", "'").replace("\\(ga", "`").replace("\\e", "\\").replace("\\&", "")
    for option in re.findall(r"^  (--[a-z-]+)", room.pawl("help", "run").out, re.M):
        assert option in plain, option
    for line in page.splitlines():
        assert not line.startswith("'") and (not line.startswith(".") or re.match(r"\.(TH|SH|SS|TP|PP|BR|br|nf|fi)\b", line)), line


@case("every library and package that the build asks for is in the manual, with its reason")
def _(_room):
    manual = text("doc", "dependencies.md")
    asked = set(re.findall(r"\blib[a-z0-9.-]+-dev\b", re.search(r"build_needs=\((.*?)\)", text("scripts", "common.sh"), re.S)[1]))
    assert len(asked) >= 7, asked
    listed = {}
    for row in re.findall(r"^\| .* \|$", manual, re.M):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) == 4:
            listed[cells[1]] = cells[2] and cells[3]
    assert asked - {"libc6-dev"} <= {name for name, why in listed.items() if why}, asked - set(listed)
    for package in re.search(r'^need "\$\{build_needs\[@\]\}" (.*)$', text("scripts", "test"), re.M)[1].split() + \
            re.search(r"^unpack build-test/tools (.*)$", text("scripts", "test"), re.M)[1].split():
        assert {"nodejs": "Node.js", "libclang-rt-14-dev": "sanitizers", "libcmocka-dev": "cmocka"}.get(package, package) in manual, package


SUITES = {"resilience_service": 1, "fault_handler": 1, "two_phase_external_calls": 1, "start_handler": 1, "resume_handler": 1,
          "outbox_dispatcher": 7, "timer_service": 8, "cleanup_service": 8}


@case("the eight suites are there by name, with seventy tests or more")
def _(_room):
    found = dict.fromkeys(SUITES, 0)
    for folder, _, names in os.walk(os.path.join(ROOT, "test")):
        for name in names:
            if name.endswith(".c"):
                for suite in re.findall(r"^TEST\((\w+), \w+\)", text(folder, name), re.M):
                    found[suite] = found.get(suite, 0) + 1
    for suite, least in SUITES.items():
        assert found[suite] >= least, (suite, found[suite])
    assert sum(found[suite] for suite in SUITES) >= 70, found


@case("the page on upgrades knows every store that is kept, and this schema")
def _(_room):
    manual = text("doc", "upgrade.md")
    schema = re.search(r"#define PW_SCHEMA_VERSION (\d+)", text("src", "store", "store.h"))[1]
    state = re.search(r"#define PW_STATE_FORMAT (\d+)", text("src", "core", "core.h"))[1]
    assert re.search(rf"^\| 0\.1\.0 \| {schema} \| {state} \|", manual, re.M), (schema, state)
    for name in os.listdir(os.path.join(ROOT, "test", "data", "stores")):
        assert name in manual, name


if __name__ == "__main__":
    main()
