#!/usr/bin/env python3
"""over_server.py - cases of other suites once more, with every command sent to `pawl serve` instead of to the store.

Whatever a case gives as --db is served by a process of its own, which is started at the first command that names it. Cases
about the store's file, its owner or the words of local commands are left out, each with why."""
import json
import os

import harness
from harness import PAWL, Room, main

LOCAL = ("migrate", "serve", "config", "validate", "graph", "schema", "eval", "completion", "help", "version")
FILE = "it is about the file of a store, or who owns it"
BESIDE = "it looks at once for what a command on its own store drives to the end, and a server does beside"
ACTOR = "a server knows who asks: --actor is refused"
SERVES = "it has a server of its own, with settings of its own, and may kill it"
LEFT_OUT = {
    "the nth incident within the time suspends the instance, and continue tries it again": SERVES,
    "a call that waits for its next attempt says so, and makes it at once when it is asked to": SERVES,
    "while a request is on its way it is in progress, and an answer that nobody knows of is asked for": SERVES,
    "killed and started again, the incident is as it was, and so is what becomes of it": SERVES,
    "without an owner, beside one and over a server it is the same": SERVES,
    "who does it stands in the log and in the incident": ACTOR,
    "who is killed while it deploys leaves nothing, or what the next one makes good": FILE,
    "run with bad usage, definition or input gives 2, and makes no store": FILE,
    "an engine that is killed goes on where it was": FILE,
    "a store that is not ours is trouble, and is not touched": FILE,
    "a store that is newer than the program is trouble": FILE,
    "a damaged store is trouble": FILE,
    "a store that cannot be read or written, or has no place, is trouble": FILE,
    "migrate is harmless when repeated, and makes no store": FILE,
    "a key, a name and data that a shell or a terminal would misread": FILE,
    "reading goes on while another process owns the store": FILE,
    "the owner of the store carries it out for others, and acts on it at once": FILE,
    "a run that is stopped by a signal says how to go on": FILE,
    "run drives the children that are waited for, and says what the instance waits for": BESIDE,
    "cancel of a parent cancels its child": BESIDE,
    "a message leads who listens on, and says so": BESIDE,
    "a stopped run without a key is gone on with by its id": BESIDE,
    "suspend, continue and cancel; each harmless when repeated": ACTOR,
    "an example asks, and is answered as its comment says": ACTOR,
}


class ServedRoom(Room):
    """Turns `--db STORE` into `--server URL`, and starts the server."""

    def __init__(self):
        super().__init__()
        self.servers = {}

    def server(self, db):
        db = db.removeprefix("sqlite:")
        if db not in self.servers:
            process = super().start("serve", "--db", db, "--listen", "127.0.0.1:0", "--json")
            line = process.stdout.readline()
            assert line, self.finish(process).told()
            self.servers[db] = json.loads(line)["listening"][0]
        return self.servers[db]

    def start(self, *words, program=PAWL, env=None, **more):
        words = list(words)
        env = dict(env or {})
        if program == PAWL and not any(word in LOCAL for word in words):
            for i, word in enumerate(words):
                if word == "--db" and i + 1 < len(words):
                    words[i:i + 2] = ["--server", self.server(words[i + 1])]
                elif word.startswith("--db="):
                    words[i:i + 1] = ["--server", self.server(word[5:])]
            if "PAWL_DB" in env:
                env["PAWL_SERVER"] = self.server(env.pop("PAWL_DB"))
        return super().start(*words, program=program, env=env, **more)

    def finish(self, process, send=None, timeout=harness.LIMIT_S):
        """What is said about a store is said about its server."""
        done = super().finish(process, send, timeout)
        for db, url in self.servers.items():
            done.out, done.err = (text.replace(f"--server {url}", f"--db {db}") for text in (done.out, done.err))
        return done


harness.Room = ServedRoom
import children  # noqa: E402 pylint: disable=wrong-import-position,unused-import
import incidents  # noqa: E402 pylint: disable=wrong-import-position,unused-import
import messages  # noqa: E402 pylint: disable=wrong-import-position,unused-import
import schedules  # noqa: E402 pylint: disable=wrong-import-position,unused-import
import store  # noqa: E402 pylint: disable=wrong-import-position,unused-import
import versions  # noqa: E402 pylint: disable=wrong-import-position,unused-import

if __name__ == "__main__":
    known = {name for name, _ in harness.cases}
    assert set(LEFT_OUT) <= known, f"no such case: {set(LEFT_OUT) - known}"
    harness.cases[:] = [(name, function) for name, function in harness.cases if name not in LEFT_OUT]
    main()
