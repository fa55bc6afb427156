#!/usr/bin/env python3
"""completion.py - what bash offers, by a real bash; what zsh and fish get, as far as it can be read without them."""
import os
import pty
import select
import shlex
import shutil
import subprocess
import time

from harness import PAWL, Skip, case, main

COMMANDS = [line.split()[0] for line in subprocess.run([PAWL, "help"], capture_output=True, text=True, check=True)
            .stdout.split("Options of every command")[0].splitlines()[6:] if line.startswith("  ")]


def options_of(room, command):
    """Names of the options that the help of a command lists."""
    text = room.pawl("help", command).exits(0).out.split("\nOptions\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in text.splitlines() if line.startswith("  --")]


def bash(room):
    path = shutil.which("bash")
    if not path:
        raise Skip("no bash here")
    script = room.file("pawl.bash", room.pawl("completion", "bash").exits(0).silent().raw)
    return path, script


def offers(room, *words):
    """What bash offers for the last of these words."""
    path, script = bash(room)
    line = " ".join(shlex.quote(word) for word in ("pawl", *words))
    text = (f"source {shlex.quote(script)}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _pawl; "
            'printf "%s\\n" "${COMPREPLY[@]}"')
    done = room.finish(room.start("--norc", "-c", text, program=path)).exits(0)
    assert done.err == "", done.told()
    return sorted(word for word in done.out.split("\n") if word)


@case("bash offers every command, and those that begin so")
def _(room):
    assert len(COMMANDS) >= 24 and "run" in COMMANDS and "completion" in COMMANDS, COMMANDS
    offered = offers(room, "")
    for command in COMMANDS:
        assert command in offered, command
    assert offers(room, "sus") == ["suspend"]
    assert offers(room, "de") == ["deadletter", "definition", "definitions", "delegate", "delete", "deploy", "deprecate"]
    assert offers(room, "inc") == ["incident", "incidents"] and offers(room, "br") == ["breaker", "breakers"]
    assert offers(room, "nothing") == []


@case("bash offers the options of every command, as its help lists them")
def _(room):
    for command in COMMANDS:
        assert offers(room, command, "--") == sorted(options_of(room, command)), command


@case("bash offers values where there are some: words, files, files behind @")
def _(room):
    room.file("order.yaml", "")
    room.file("order.json", "")
    assert offers(room, "start", "x", "--until", "") == ["end", "idle", "settled"]
    assert offers(room, "start", "x", "--until", "=", "se") == ["settled"]
    assert offers(room, "start", "x", "--until", "=") == ["end", "idle", "settled"]
    assert offers(room, "ls", "--status", "comp") == ["compensated", "compensating", "completed"]
    assert offers(room, "run", "ord") == ["order.json", "order.yaml"]
    assert offers(room, "run", "order.yaml", "--input", "@ord") == ["@order.json", "@order.yaml"]
    assert offers(room, "run", "order.yaml", "--input", "ord") == []
    assert offers(room, "show", "") == []
    assert offers(room, "incidents", "--type", "ex") == ["external-call-fault"]
    assert offers(room, "breaker", "") == ["auto", "close", "open"]
    assert offers(room, "breaker", "cl") == ["close"]
    assert offers(room, "completion", "") == ["bash", "fish", "zsh"]
    assert offers(room, "help", "evalu") == [] and offers(room, "help", "eva") == ["eval"]


@case("options before the command do not hide it")
def _(room):
    room.file("s.db", "")
    assert offers(room, "--db", "s") == ["s.db"]
    assert offers(room, "--db", "s.db", "sus") == ["suspend"]
    assert offers(room, "--db", "=", "s.db", "--json", "ls", "--sta") == ["--status"]
    assert offers(room, "--server", "http://x", "mi") == ["migrate"]


@case("a tab in an interactive bash completes a command, an option and a value")
def _(room):
    path, script = bash(room)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(room.path)
        os.environ.update(PS1="$ ", TERM="dumb", INPUTRC="/dev/null", HISTFILE="")
        os.execv(path, [path, "--norc", "--noprofile", "-i"])
    seen = b""

    def expect(text, seconds=30):
        nonlocal seen
        end = time.monotonic() + seconds
        while text.encode() not in seen:
            assert time.monotonic() < end, (text, seen)
            if select.select([terminal], [], [], 0.1)[0]:
                seen += os.read(terminal, 4096)
        seen = seen.split(text.encode(), 1)[1]

    try:
        os.write(terminal, f"source {shlex.quote(script)}; echo rea''dy\n".encode())
        expect("ready")
        os.write(terminal, b"pawl susp\t")
        expect("pawl suspend ")
        os.write(terminal, b"--rea\t")
        expect("--reason ")
        os.write(terminal, b"\x15pawl start x --until se\t")
        expect("--until settled ")
    finally:
        os.close(terminal)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


@case("zsh gets every command with its options, in a script that parses")
def _(room):
    text = room.pawl("completion", "zsh").exits(0).silent().out
    script = room.file("_pawl", text)
    assert text.startswith("#compdef pawl\n")
    shell = shutil.which("zsh")
    path, _ = bash(room) if not shell else (shell, None)
    room.finish(room.start("-n", script, program=path)).exits(0)  # bash reads what is written here as zsh does
    arms = text.split("case $line[1] in\n")[1].split("\n    esac\n")[0].split(" ;;\n")
    assert [arm.split(")\n")[0].strip() for arm in arms if arm.strip()] == [
        line.split(":")[0].strip("' ") for line in text.split("commands=(\n")[1].split("\n    )")[0].splitlines()]
    for arm in arms:
        if not arm.strip():
            continue
        command, specifications = arm.split(")\n", 1)
        words = shlex.split(specifications.replace("\\\n", " "))
        assert words[0] == "_arguments"
        found = [word.lstrip("*").split("[")[0].rstrip("=") for word in words[1:] if word.lstrip("*").startswith("--")]
        assert found == options_of(room, command.strip()), command


@case("fish gets every command with its options, a line for each")
def _(room):
    text = room.pawl("completion", "fish").exits(0).silent().out
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    seen = {}
    for line in lines:
        words = shlex.split(line.replace("\\'", "'\"'\"'"))  # fish escapes a quote in quotes; sh does not
        assert words[:3] == ["complete", "-c", "pawl"], line
        if "-l" in words:
            command = words[words.index("-n") + 1].split()[-1] if "-n" in words else ""
            seen.setdefault(command, []).append("--" + words[words.index("-l") + 1])
    for command in COMMANDS:
        assert f"complete -c pawl -n __fish_use_subcommand -a {command} -d " in text, command
        own = [name for name in options_of(room, command) if name not in seen[""]]
        assert seen.get(command, []) == own, command
    if shutil.which("fish"):
        room.finish(room.start("-n", room.file("pawl.fish", text), program=shutil.which("fish"))).exits(0)


@case("another shell is refused")
def _(room):
    room.pawl("completion", "tcsh").exits(2).complains("bash, zsh or fish, not for 'tcsh'")
    room.pawl("completion").exits(2).complains("bash|zsh|fish is missing")


if __name__ == "__main__":
    main()
