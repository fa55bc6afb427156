#!/usr/bin/env python3
"""install.py - the library and the program as a user installs them, and a program that embeds the library.

Installs PAWL_BUILD into a fresh prefix; each case works with what is there, not with the checkout.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import ROOT, Skip, case, main  # noqa: E402

BUILD = os.environ.get("PAWL_BUILD", os.path.join(ROOT, "build"))
PREFIX = tempfile.mkdtemp(prefix="pawl-prefix-")


def tool(*words, cwd=None, **env):
    done = subprocess.run(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False,
                          env={**os.environ, "PKG_CONFIG_PATH": pkg_config_path(), **env})
    assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}: {done.stdout.decode()} {done.stderr.decode()}"
    return done.stdout.decode()


def found(name):
    """What its completion for bash is called is not the program."""
    for folder, _, files in os.walk(PREFIX):
        if name in files and "bash-completion" not in folder:
            return os.path.join(folder, name)
    raise AssertionError(f"{name} was not installed")


def pkg_config_path():
    for folder, _, files in os.walk(PREFIX):
        if "pawl.pc" in files:
            return folder
    return ""


def flags(*options):
    return tool("pkg-config", *options, "pawl").split()


@case("install puts the library, header, pkg-config file and program in place")
def _(_room):
    tool("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", PREFIX)
    # the files say where they are meant to be; here they are below another root
    pc = found("pawl.pc")
    with open(pc, encoding="utf-8") as file:
        lines = file.read().splitlines()
    lines = [f"prefix={PREFIX}{line.partition('=')[2]}" if line.startswith("prefix=") else line for line in lines]
    with open(pc, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    for name in ("pawl.h", "libpawl.so", "libpawl.so.0", "libpawl.a", "pawl"):
        assert os.path.exists(found(name)), name
    for name in ("pawl.1", "pawl-run.1", "pawl-backup.1", "pawl.yaml.5", "libpawl.3", "_pawl", "pawl.fish", "pawl.service"):
        assert os.path.getsize(found(name)) > 100, name
    with open(found("pawl.service"), encoding="utf-8") as file:
        assert "ExecStart=/usr/local/bin/pawl serve " in file.read()
    headers = [name for folder, _, files in os.walk(PREFIX) for name in files if name.endswith(".h")]
    assert headers == ["pawl.h", "server.h"], headers


@case("the program runs where it is installed, and says the version of the pkg-config file")
def _(_room):
    assert tool(found("pawl"), "version") == "pawl " + tool("pkg-config", "--modversion", "pawl")


@case("the shared library exports what tools/exports.txt lists, and nothing else")
def _(_room):
    assert "ok 1" in tool(os.path.join(ROOT, "tools", "check_exports"), found("libpawl.so"))


@case("the static library defines no symbol outside of pawl_ and pw_")
def _(_room):
    names = set()
    for line in tool("nm", "-g", "--defined-only", found("libpawl.a")).splitlines():
        words = line.split()
        if len(words) == 3:
            names.add(words[2])
    foreign = sorted(name for name in names if not name.startswith(("pawl_", "pw_", "_pw_")))
    assert len(names) > 100 and not foreign, foreign[:20]


@case("the public header compiles alone as C99")
def _(room):
    tool("gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
         room.file("alone.c", f'#include "{found("pawl.h")}"\nint main(void) {{ return 0; }}\n'))


@case("the public header compiles alone as C++")
def _(room):
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-x", "c++",
              room.file("alone.cc", f'#include "{found("pawl.h")}"\nint main() {{ return 0; }}\n')]
    compiler = next((name for name in ("g++", "clang++", "clang") if shutil.which(name)), None)
    if not compiler:
        raise Skip("no C++ compiler is here")
    source = room.file("empty.cc", "int main() { return 0; }\n")
    have_headers = subprocess.run([compiler, "-x", "c++", "-include", "stddef.h", "-fsyntax-only", source],
                                  check=False, stderr=subprocess.DEVNULL).returncode == 0
    if not have_headers:
        raise Skip("the C++ compiler has no headers")
    tool(compiler, *strict)


def run_example(program, room, **env):
    """Twice on one store: the second finds what the first did."""
    environment = {**os.environ, **env}
    for turn, (said, calls) in enumerate((("a new instance", "ran 1 times"), ("was there before", "ran 0 times"))):
        done = subprocess.run([program, "embed.db"], cwd=room.path, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, check=False)
        text = done.stderr.decode()
        assert done.returncode == 0 and said in text and calls in text, (turn, done.returncode, text)
        shown = json.loads(done.stdout)
        assert shown["status"] == "completed" and shown["key"] == "reading-1", shown
        assert shown["output"] == {"sensor": "roof", "celsius": 21.5, "warm": True}, shown
        assert '"celsius":21.50' in done.stdout.decode().replace(" ", ""), "the number is not as it was written"


@case("examples/embed.c builds and runs with the shared library")
def _(room):
    program = os.path.join(room.path, "embed")
    source = os.path.join(ROOT, "examples", "embed.c")
    tool("gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", source, "-o", program, *flags("--cflags", "--libs"))
    assert "libpawl.so.0" in tool("readelf", "-d", program)
    run_example(program, room, LD_LIBRARY_PATH=os.path.dirname(found("libpawl.so")))


@case("examples/embed.c builds and runs with the static library")
def _(room):
    program = os.path.join(room.path, "embed")
    source = os.path.join(ROOT, "examples", "embed.c")
    libraries = [found("libpawl.a") if word == "-lpawl" else word for word in flags("--static", "--libs")]
    tool("gcc", "-std=c99", source, "-o", program, *flags("--cflags"), *libraries)
    assert "libpawl.so" not in tool("readelf", "-d", program)
    run_example(program, room)


@case("the installed program runs a workflow without a store")
def _(room):
    room.file("hello.yaml", "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\ndo:\n  - x: {set: {a: 1}}\n")
    done = subprocess.run([found("pawl"), "run", "hello.yaml"], cwd=room.path, env=room.env, stdout=subprocess.PIPE,
                          timeout=60, check=False)
    assert done.returncode == 0 and json.loads(done.stdout) == {"a": 1}, done


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(PREFIX, ignore_errors=True)
