"""nats.py - a real nats-server with JetStream, unprivileged, on loopback, and as much of its protocol as tells what a stream holds.

    server = NatsServer(room)             # skips the case if the program is not there
    server.stream("E", ["pawl.>"])
    server.kill(); server.start()         # the same port and files
    server.messages("E")                  # payloads, in order
"""
import json
import os
import shutil
import signal
import socket
import subprocess

from harness import Skip, until


def program():
    tools = os.environ.get("PAWL_TOOLS", "")
    unpacked = os.path.join(tools, "nats-server/usr/sbin/nats-server")
    found = unpacked if tools and os.path.exists(unpacked) else shutil.which("nats-server")
    if not found:
        raise Skip("nats-server is not there")
    return found


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb")
        assert self.file.readline().startswith(b"INFO ")
        self.send(b'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n')

    def send(self, data):
        self.socket.sendall(data)

    def message(self):
        """The payload of the next one."""
        while True:
            words = self.file.readline().split()
            assert words, "the server closed the connection"
            if words[0] == b"PING":
                self.send(b"PONG\r\n")
            elif words[0] == b"MSG":
                return self.file.read(int(words[-1]) + 2)[:-2]
            elif words[0] == b"HMSG":
                head, size = int(words[-2]), int(words[-1])
                return self.file.read(size + 2)[head:-2]
            else:
                assert words[0] != b"-ERR", words

    def ask(self, subject, request):
        body = json.dumps(request).encode()
        self.send(b"SUB _INBOX.ask 1\r\nUNSUB 1 1\r\n" + f"PUB {subject} _INBOX.ask {len(body)}\r\n".encode() + body + b"\r\n")
        answer = json.loads(self.message())
        assert "error" not in answer, answer
        return answer

    def close(self):
        self.file.close()
        self.socket.close()


class NatsServer:
    def __init__(self, room, options=""):
        self.room, self.program = room, program()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self.config = room.file("nats.conf", f"listen: 127.0.0.1:{self.port}\n"
                                             f"jetstream {{ store_dir: \"{room.path}/js\", max_file_store: 256MB, max_memory_store: 1MB }}\n"
                                             + options)
        self.process = None
        self.start()

    def start(self):
        self.process = self.room.start("-c", self.config, program=self.program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.listens, "nats-server")

    def listens(self):
        assert self.process.poll() is None, "nats-server ended"
        try:
            Connection(self.port).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, subject, request):
        connection = Connection(self.port)
        try:
            return connection.ask(subject, request)
        finally:
            connection.close()

    def stream(self, name, subjects):
        self.ask(f"$JS.API.STREAM.CREATE.{name}", {"name": name, "subjects": subjects, "storage": "file"})

    def count(self, name):
        return self.ask(f"$JS.API.STREAM.INFO.{name}", {})["state"]["messages"]

    def messages(self, name):
        count = self.count(name)
        connection = Connection(self.port)
        connection.send(b"SUB _INBOX.all 2\r\n")
        body = json.dumps({"stream_name": name, "config": {"deliver_subject": "_INBOX.all", "deliver_policy": "all", "ack_policy": "none"}})
        connection.send(f"PUB $JS.API.CONSUMER.CREATE.{name} {len(body)}\r\n{body}\r\n".encode())
        found = [json.loads(connection.message()) for _ in range(count)]
        connection.close()
        return found
