#!/usr/bin/env python3
"""action_arguments.py - what stands wrongly behind a command of an operator is told before anything is looked at."""
from harness import case, main


@case("arguments that are missing, wrong or contradict each other are refused before anything is looked at")
def _(room):
    for words, why in (
            (["retry"], "ID is missing: pawl retry ID"), (["goto", "x"], "ID TASK is missing"), (["skip", "x", "y"], "'y' is one argument too many"),
            (["retry", "x", "--input", "{"], "--input: JSON line 1, column 2"), (["retry", "x", "--input", "@none.json"], "none.json"),
            (["retry", "x", "--input", "@"], "--input: '@' needs a file"), (["retry", "x", "--output", "1"], "no option '--output'"),
            (["skip", "x", "--output", "nope"], "--output: JSON line 1, column"), (["skip", "x", "--input", "1"], "no option '--input'"),
            (["goto", "x", "/do/0/a", "--input", "[1"], "--input: JSON line 1, column"),
            (["edit", "x"], "Give --set POINTER=JSON, or --patch JSON"), (["edit", "x", "--set", "/a=1", "--patch", "[]"], "contradict"),
            (["edit", "x", "--set", "/context"], "'--set' is POINTER=JSON"), (["edit", "x", "--set", "a=1"], "'--set' is POINTER=JSON"),
            (["edit", "x", "--set", "=1"], "'--set' is POINTER=JSON"), (["edit", "x", "--set", "/a="], "--set /a: "),
            (["edit", "x", "--set", "/a=yes"], "--set /a: JSON line 1, column 1"), (["edit", "x", "--set", "/a=@none"], "none"),
            (["edit", "x", "--patch", "{}"], "a JSON Patch is an array of operations, not object"), (["edit", "x", "--patch", "["], "--patch: JSON line 1"),
            (["compensate", "x", "--plan", "--reason", "y"], "--plan only looks: --reason"), (["compensate", "x", "--limit", "5"], "are for --plan"),
            (["compensate", "x", "--plan", "--limit", "0"], "'--limit' is a whole number from 1 to 1000"),
            (["compensate", "x", "--plan", "--dry-run"], "--plan only looks: --dry-run"),
            (["rewind", "x"], "--step N or --visit N is missing"), (["rewind", "x", "--step", "1", "--visit", "2"], "contradict"),
            (["rewind", "x", "--step", "0"], "'--step' is a whole number from 1"), (["rewind", "x", "--visit", "-1"], "'--visit' is a whole number from 1"),
            (["rewind", "x", "--step", "1", "--input", "1"], "give --visit instead of --step"), (["fork", "x"], "--step N or --visit N is missing"),
            (["fork", "x", "--step", "1", "--label", "a"], "'--label' is NAME=VALUE"), (["fork", "x", "--step", "1x"], "'--step' is a whole number"),
            (["effects", "x", "--behind", "-1"], "'--behind' is a whole number from 0"), (["effects", "x", "--limit", "1001"], "from 1 to 1000"),
            (["retry", "x", "--dry-run", "--no-wait"], "--dry-run and --no-wait contradict"),
            (["skip", "x", "--dry-run", "--until", "end"], "--dry-run and --until contradict"),
            (["edit", "x", "--set", "/a=1", "--until", "soon"], "'--until' is idle, settled or end"),
            (["retry", "x", "--if-token", "0"], "'--if-token' is a whole number"), (["goto", "x", "y", "--confirm=yes"], "'--confirm' takes no value")):
        done = room.pawl(*words, "--db", "none.db").exits(2).prints("")
        assert why in done.err and not room.exists("none.db"), done.told()
    room.pawl("skip", "x", "--output", "x" * 40 + "=").exits(2)
    room.pawl("edit", "x", "--set", "/a=1").exits(2).complains("--db", "PAWL_DB")


if __name__ == "__main__":
    main()
