#!/usr/bin/env python3
"""flaky.py - the service of the resilience example: an airline that is up, down or slow, as it is told.

    POST /book   {"seats": N}    200 {"booking": "b-1", "seats": N}, once for each Idempotency-Key; 503 while it is down
    GET  /price                  200 {"price": 120}; 503 while it is down
    GET  /seen                   every request of the two above: [{"path", "key", "status"}]
    POST /break, /mend           from now on it is down, or up

    flaky.py [--port N] [--port-file PATH] [--down] [--slow-ms N]
"""

import argparse
import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_MAX = 1 << 16


class Airline:
    def __init__(self, up):
        self.lock = threading.Lock()
        self.up = up
        self.seen = []
        self.bookings = {}  # by Idempotency-Key

    def answer(self, path, key, body):
        with self.lock:
            status, value = self.decide(path, key, body)
            self.seen.append({"path": path, "key": key, "status": status})
            return status, value

    def decide(self, path, key, body):
        if not self.up:
            return 503, {"title": "down for repair"}
        if path == "/price":
            return 200, {"price": 120}
        if not key:
            return 400, {"title": "send an Idempotency-Key"}
        if key not in self.bookings:
            self.bookings[key] = {"booking": f"b-{len(self.bookings) + 1}", "seats": body.get("seats", 1)}
        return 200, self.bookings[key]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        try:
            self.wfile.write(text)
        except OSError:
            pass  # the caller did not wait

    def do_GET(self):
        airline = self.server.airline
        if self.path == "/price":
            self.slowly(self.path, {})
        elif self.path == "/seen":
            with airline.lock:
                seen = list(airline.seen)
            self.send(200, seen)
        else:
            self.send(404, {"title": "no such path"})

    def do_POST(self):
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > BODY_MAX:
            self.close_connection = True
            self.send(413, {"title": "too large"})
            return
        raw = self.rfile.read(int(length))
        airline = self.server.airline
        if self.path in ("/break", "/mend"):
            with airline.lock:
                airline.up = self.path == "/mend"
            self.send(200, {"up": self.path == "/mend"})
            return
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            body = None
        if self.path == "/book" and isinstance(body, dict):
            self.slowly(self.path, body)
        else:
            self.send(404 if self.path != "/book" else 400, {"title": "no such path" if self.path != "/book" else "no JSON object"})

    def slowly(self, path, body):
        if self.server.slow_ms:
            time.sleep(self.server.slow_ms / 1000)
        self.send(*self.server.airline.answer(path, self.headers.get("Idempotency-Key"), body))


def main():
    parser = argparse.ArgumentParser(description="An airline that is up, down or slow.")
    parser.add_argument("--port", type=int, default=0, help="0: any")
    parser.add_argument("--port-file", metavar="PATH", help="gets the port, once it listens")
    parser.add_argument("--down", action="store_true", help="until POST /mend")
    parser.add_argument("--slow-ms", type=int, default=0, metavar="N", help="think so long before every answer")
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    server.airline = Airline(not options.down)
    server.slow_ms = options.slow_ms

    def stop(*_):
        threading.Thread(target=server.shutdown).start()  # it waits for serve_forever(), which we are in

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    port = server.server_address[1]
    if options.port_file:
        with open(options.port_file + ".new", "w", encoding="utf-8") as file:
            file.write(f"{port}\n")
        os.replace(options.port_file + ".new", options.port_file)  # never seen half written
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()


if __name__ == "__main__":
    main()
