#!/usr/bin/env python3
"""payments.py - the service that the order workflow calls: a shop's stock, payments and shipping.

It does what a service must do so that a durable workflow can call it safely: it honours Idempotency-Key. The first request with a
key has an effect and its answer is kept; the same request again gets that answer and has no effect; the same key with
another path or body is refused with 422.

    POST /reserve   {"order", "items"}        200 {"reservation"}
    POST /charge    {"order", "amount"}       200 {"charge", "amount"}; above 10000: 402
    POST /ship      {"order", ...}            200 {"shipment"}
    POST /release, /refund, /cancel           200: what takes the three above back
    GET  /health                              200 {"ok": true}
    GET  /totals                              200 {"/charge": effects by path, ...}

Every POST is one line of the ledger, written before it is answered:
    {"key", "path", "body", "repeated": bool, "status"}
A line with "repeated": false and "status": 200 is an effect.

    payments.py [--port N] [--port-file PATH] [--ledger PATH] [--delay-ms N] [--fail-first PATH:N]...
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_MAX = 1 << 20
CHARGE_MAX = 10000
EFFECTS = {  # path: (name of the id in the answer, its prefix)
    "/reserve": ("reservation", "r"),
    "/charge": ("charge", "c"),
    "/ship": ("shipment", "s"),
    "/release": ("release", "rl"),
    "/refund": ("refund", "rf"),
    "/cancel": ("cancellation", "x"),
}


def problem(status, title, detail):
    return status, {"status": status, "title": title, "detail": detail}


class Shop:
    """What was done, for whom, and what was answered. One lock: requests are short, delays are outside of it."""

    def __init__(self, ledger, fail_first):
        self.lock = threading.Lock()
        self.ledger = ledger
        self.fail_first = dict(fail_first)
        self.answers = {}  # key: (path, body, answer)
        self.totals = {path: 0 for path in EFFECTS}

    def post(self, key, path, body):
        with self.lock:
            answer, repeated = self.decide(key, path, body)
            self.write(key, path, body, repeated, answer[0])
            return answer

    def decide(self, key, path, body):
        if self.fail_first.get(path, 0) > 0:
            self.fail_first[path] -= 1
            return problem(503, "try again", "this request was told to fail"), False
        known = self.answers.get(key)
        if known is not None:
            if known[:2] != (path, body):
                return problem(422, "key used before", "the same Idempotency-Key came with another request"), True
            return known[2], True
        answer = self.act(path, body)
        self.answers[key] = (path, body, answer)
        return answer, False

    def act(self, path, body):
        amount = body.get("amount", 0) if isinstance(body, dict) else 0
        if path == "/charge":
            if isinstance(amount, bool) or not isinstance(amount, (int, float)) or amount < 0:
                return problem(400, "bad amount", "amount must be a number that is not negative")
            if amount > CHARGE_MAX:
                return problem(402, "card declined", f"the limit is {CHARGE_MAX}")
        self.totals[path] += 1
        name, prefix = EFFECTS[path]
        done = {name: f"{prefix}-{self.totals[path]}"}
        if path in ("/charge", "/refund"):
            done["amount"] = amount
        return 200, done

    def write(self, key, path, body, repeated, status):
        if self.ledger is None:
            return
        line = {"key": key, "path": path, "body": body, "repeated": repeated, "status": status}
        self.ledger.write(json.dumps(line) + "\n")
        self.ledger.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "payments"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet

    def log_message(self, *_):
        pass

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def refuse(self, *what):
        self.close_connection = True  # the body was not read
        self.answer(*problem(*what))

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, {"ok": True})
        elif self.path == "/totals":
            with self.server.shop.lock:
                totals = dict(self.server.shop.totals)
            self.answer(200, totals)
        else:
            self.answer(*problem(404, "no such path", self.path))

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            return self.refuse(411, "length required", "send Content-Length")
        if int(length) > BODY_MAX:
            return self.refuse(413, "too large", f"at most {BODY_MAX} bytes")
        raw = self.rfile.read(int(length))
        path = self.path.split("?", 1)[0]
        key = self.headers.get("Idempotency-Key")
        if path not in EFFECTS:
            return self.answer(*problem(404, "no such path", path))
        if not key:
            return self.answer(*problem(400, "key required", "send an Idempotency-Key"))
        try:
            body = json.loads(raw) if raw else None
        except (ValueError, RecursionError) as error:
            return self.answer(*problem(400, "no JSON", str(error)))
        answer = self.server.shop.post(key, path, body)
        if self.server.delay_ms:
            time.sleep(self.server.delay_ms / 1000)  # done, but the caller does not know yet
        self.answer(*answer)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a caller that was killed is no error of ours
            super().handle_error(request, client_address)


def path_and_count(text):
    path, colon, count = text.rpartition(":")
    if not colon or path not in EFFECTS or not count.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not PATH:N, as in /charge:2")
    return path, int(count)


def main():
    parser = argparse.ArgumentParser(description="The service that the order workflow calls.")
    parser.add_argument("--port", type=int, default=0, help="0: any")
    parser.add_argument("--port-file", metavar="PATH", help="gets the port, once it listens")
    parser.add_argument("--ledger", metavar="PATH", help="one line of JSON for each request is added to it")
    parser.add_argument("--delay-ms", type=int, default=0, metavar="N", help="answer so much later")
    parser.add_argument("--fail-first", type=path_and_count, action="append", default=[], metavar="PATH:N",
                        help="answer 503 to the first N requests of a path")
    options = parser.parse_args()

    ledger = open(options.ledger, "a", encoding="utf-8") if options.ledger else None
    server = Server(("127.0.0.1", options.port), Handler)
    server.shop = Shop(ledger, options.fail_first)
    server.delay_ms = options.delay_ms

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
    with server.shop.lock:  # a request that is being written
        if ledger:
            ledger.close()
            server.shop.ledger = None


if __name__ == "__main__":
    main()
