#!/usr/bin/env python3
"""hooks.py - takes CloudEvents that Pawl publishes, and shows what a receiver does: checks the signature, and takes each event once.

    POST /events   204: taken, or it was taken before; 401: the signature is wrong; 422: an order above 1000
    GET  /seen     the ids and types that were taken, in order

    hooks.py [--port N] [--port-file PATH] [--secret TEXT]
"""

import argparse
import hashlib
import hmac
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

AGE_MAX_S = 300  # a request that somebody has kept is refused later


def is_signed(header, body, secret):
    parts = dict(part.split("=", 1) for part in (header or "").split(",") if "=" in part)
    seconds, given = parts.get("t", ""), parts.get("v1", "")
    if not seconds.isdigit() or abs(time.time() - int(seconds)) > AGE_MAX_S:
        return False
    wanted = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, given)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, value=None):
        text = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not is_signed(self.headers.get("Pawl-Signature"), body, self.server.secret):
            return self.send(401, {"title": "the signature is wrong, or too old"})
        event = json.loads(body)
        if event["data"].get("total", 0) > 1000:
            return self.send(422, {"title": "too much"})
        with self.server.lock:  # an event may come again: its source and id say that it is the same
            self.server.seen.setdefault((event["source"], event["id"]), event["type"])
        return self.send(204)

    def do_GET(self):
        with self.server.lock:
            return self.send(200, [{"id": id, "type": type} for (_, id), type in self.server.seen.items()])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    parser.add_argument("--secret", default="change-me")
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    server.secret, server.lock, server.seen = options.secret, threading.Lock(), {}
    if options.port_file:
        with open(options.port_file + ".new", "w", encoding="utf-8") as file:
            file.write(str(server.server_address[1]))
        os.replace(options.port_file + ".new", options.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
