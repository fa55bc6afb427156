"""demo.py - http_demo (demo.c) as a process, and clients of it that may misbehave."""
import json
import os
import re
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
# pylint: disable=wrong-import-position
from harness import Skip, case, main, until  # noqa: E402,F401

DEMO = os.environ["HTTP_DEMO"]
PLAIN = os.environ.get("HTTP_PLAIN") == "yes"  # without a sanitizer, whose memory says nothing
WAIT_S = 60


class Demo:
    def __init__(self, room, *options, listen="127.0.0.1:0"):
        self.process = room.start(listen, *options, program=DEMO, stdin=subprocess.PIPE, text=True)
        self.addresses = self.process.stdout.readline().strip()
        assert self.addresses, f"it did not start: {self.process.communicate()}"
        self.port = int(self.addresses.split(",")[0].rsplit(":", 1)[1])

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def line(self):
        line = self.process.stdout.readline()
        assert line, "it has ended"
        return line.strip()

    def ask(self, line):
        self.send(line)
        return self.line()

    def count(self):
        return json.loads(self.ask("count"))

    def until(self, **members):
        until(lambda: all(self.count()[name] == value for name, value in members.items()), str(members), WAIT_S)

    def close(self):
        """It ends well, and says nothing on the way."""
        out, err = self.process.communicate("close\n", timeout=WAIT_S)
        assert self.process.returncode == 0, f"exit {self.process.returncode}: {err}"
        assert (out, err) == ("", ""), (out, err)

    def client(self, **more):
        return Client(self.port, **more)

    def get(self, path, **headers):
        with self.client() as client:
            return client.get(path, **headers)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]}"


def request(path, method="GET", body=None, version="1.1", **headers):
    lines = [f"{method} {path} HTTP/{version}", "Host: test"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


class Client:
    def __init__(self, port, host="127.0.0.1", source=None, tls=None):
        self.socket = socket.create_connection((host, port), timeout=WAIT_S, source_address=source)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.rest += data
        return bool(data)

    def ends(self):
        """What comes until the other side closes."""
        while self.more():
            pass
        return self.rest

    def answer(self, head=False):
        while b"\r\n\r\n" not in self.rest:
            assert self.more(), f"closed without an answer: {self.rest}"
        top, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [ -~]*", first)
        assert match, first
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        status = int(match[1])
        length = 0 if head or status in (100, 204, 304) else int(headers["content-length"])
        while len(self.rest) < length:
            assert self.more(), f"closed within the body of {first}"
        body, self.rest = self.rest[:length], self.rest[length:]
        return Answer(status, headers, body)

    def ask(self, data, head=False):
        return self.send(data).answer(head)

    def get(self, path, **headers):
        return self.ask(request(path, **headers))

    def post(self, path, body, **headers):
        return self.ask(request(path, "POST", body, **headers))
