"""example.py - the examples and their services, for cases that run them as their files say."""
import json
import os
import urllib.request

from harness import ROOT, until

CONFIG = ("--config", os.path.join(ROOT, "examples", "pawl.conf"))


def example(name):
    return os.path.join(ROOT, "examples", name)


class Service:
    def __init__(self, room, program, *options):
        room.start(example(program), "--port-file", "port", *options, program="python3")
        port = os.path.join(room.path, "port")
        until(lambda: os.path.exists(port), f"the port of {program}")
        with open(port, encoding="utf-8") as file:
            self.url = f"http://127.0.0.1:{file.read().strip()}"

    def ask(self, path, post=False):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=b"" if post else None), timeout=60) as answer:
            return json.load(answer)
