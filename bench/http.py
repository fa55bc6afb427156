#!/usr/bin/env python3
"""http.py - what a request and a parked connection cost the listener.

    bench/http.py BUILD [CONNECTIONS]     BUILD: a build folder with tests, -Dbuildtype=release

Starts test/http/http_demo of that build, parks so many connections (0 and 10,000), and asks for /echo beside them: one request
after the other on one connection, and, where wrk is installed, from 64. Times are the server's CPU time, which other work on
the machine changes less than a rate.
"""
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time

ECHO, HOLD = (f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n"
              "Authorization: Bearer pawl_0123456789012345678901234567890123456789012\r\n\r\n".encode() for path in ("/echo", "/hold"))


class Demo:
    def __init__(self, build):
        self.process = subprocess.Popen([os.path.join(build, "test/http/http_demo"), "127.0.0.1:0"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.rsplit(":", 1)[1])

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def count(self, name):
        return json.loads(self.ask("count"))[name]

    def memory(self):
        return int(self.ask("memory")) * 1024

    def cpu_us(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            words = file.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) * 1_000_000 // os.sysconf("SC_CLK_TCK")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port))

    def close(self):
        self.process.communicate("close\n")


def ask(client, request):
    client.sendall(request)
    client.recv(4096)


def measured(demo, what, work):
    cpu, requests, start = demo.cpu_us(), demo.count("requests"), time.monotonic()
    work()
    count = demo.count("requests") - requests
    print(f"  {what}: {(demo.cpu_us() - cpu) / count:.0f} us of CPU each, {count / (time.monotonic() - start):.0f} a second")


def run(build, connections):
    demo = Demo(build)
    empty = demo.memory()
    held = []
    for _ in range(connections):
        held.append(demo.connect())
        ask(held[-1], ECHO)  # a connection that has been used takes more than a new one
        held[-1].sendall(HOLD)
    while demo.count("parked") < connections:
        time.sleep(0.05)
    each = f", {(demo.memory() - empty) / connections:.0f} bytes for each" if connections else ""
    print(f"{connections} parked{each} ({empty // 1024} KiB without any)")
    with demo.connect() as client:
        measured(demo, "one after the other", lambda: [ask(client, ECHO) for _ in range(10000)])
    if shutil.which("wrk"):
        measured(demo, "from 64 connections", lambda: subprocess.run(["wrk", "-t1", "-c64", "-d5", demo.url + "/echo"],
                                                                      capture_output=True, check=True))
    demo.close()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for connections in [int(sys.argv[2])] if len(sys.argv) > 2 else [0, 10000]:
        run(sys.argv[1], connections)


if __name__ == "__main__":
    main()
