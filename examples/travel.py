#!/usr/bin/env python3
"""travel.py - the service of the travel example: flights, hotels and cars, to be had as long as it is told so.

    POST   /flights, /hotels, /cars    201 {"booking": "flight-1"}, once for each Idempotency-Key; 409 while they are sold out
    DELETE /flights/flight-1 ...       200 {"booking": "flight-1", "cancelled": true}, also when it is repeated; 404: no such booking;
                                       409 while they are final
    GET    /bookings                   {"flight-1": "booked", "hotel-1": "cancelled"}
    GET    /seen                       every request of the first two: [{"method", "path", "key", "status"}]
    POST   /sell-out/cars ...          from now on there are no more of them; /restock/cars: there are
    POST   /finalize/hotels ...        from now on they cannot be given back; /release/hotels: they can

    travel.py [--port N] [--port-file PATH] [--sold-out KIND]... [--final KIND]...
"""

import argparse
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_MAX = 1 << 16
KINDS = ("flights", "hotels", "cars")


class Agency:
    def __init__(self, sold_out, final):
        self.lock = threading.Lock()
        self.sold_out, self.final = set(sold_out), set(final)
        self.by_key = {}  # Idempotency-Key to booking
        self.bookings = {}  # booking to "booked" or "cancelled"
        self.counts = dict.fromkeys(KINDS, 0)
        self.seen = []

    def answer(self, method, path, key):
        with self.lock:
            parts = path.strip("/").split("/")
            status, value = self.decide(method, parts, key)
            self.seen.append({"method": method, "path": path, "key": key, "status": status})
            return status, value

    def decide(self, method, parts, key):
        kind = parts[0]
        if kind not in KINDS or len(parts) != (1 if method == "POST" else 2):
            return 404, {"title": "no such path"}
        if not key:
            return 400, {"title": "send an Idempotency-Key"}
        if method == "POST":
            return self.book(kind, key)
        booking = parts[1]
        if booking not in self.bookings or not booking.startswith(kind[:-1] + "-"):
            return 404, {"title": f"no booking {booking}"}
        if self.bookings[booking] != "cancelled" and kind in self.final:
            return 409, {"title": f"{booking} cannot be cancelled any more"}
        self.bookings[booking] = "cancelled"
        return 200, {"booking": booking, "cancelled": True}

    def book(self, kind, key):
        if key not in self.by_key:
            if kind in self.sold_out:
                return 409, {"title": f"no {kind} left"}
            self.counts[kind] += 1
            self.by_key[key] = f"{kind[:-1]}-{self.counts[kind]}"
            self.bookings[self.by_key[key]] = "booked"
        return 201, {"booking": self.by_key[key]}

    def tell(self, what, kind):
        """True: it is so from now on."""
        wanted = {"sell-out": (self.sold_out, True), "restock": (self.sold_out, False),
                  "finalize": (self.final, True), "release": (self.final, False)}
        if what not in wanted or kind not in KINDS:
            return False
        kinds, add = wanted[what]
        with self.lock:
            (kinds.add if add else kinds.discard)(kind)
        return True

    def now(self, path):
        with self.lock:
            return {"/bookings": dict(self.bookings), "/seen": list(self.seen)}.get(path)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet

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
        value = self.server.agency.now(self.path)
        if value is None:
            self.send(404, {"title": "no such path"})
        else:
            self.send(200, value)

    def do_POST(self):
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > BODY_MAX:
            self.close_connection = True
            self.send(413, {"title": "too large"})
            return
        self.rfile.read(int(length))
        parts = self.path.strip("/").split("/")
        if self.command == "POST" and len(parts) == 2:
            done = self.server.agency.tell(*parts)
            self.send(200 if done else 404, {"done": done})
        else:
            self.send(*self.server.agency.answer(self.command, self.path, self.headers.get("Idempotency-Key")))

    do_DELETE = do_POST


def main():
    parser = argparse.ArgumentParser(description="Flights, hotels and cars, to be had as long as it is told so.")
    parser.add_argument("--port", type=int, default=0, help="0: any")
    parser.add_argument("--port-file", metavar="PATH", help="gets the port, once it listens")
    parser.add_argument("--sold-out", metavar="KIND", choices=KINDS, action="append", default=[], help="until POST /restock/KIND")
    parser.add_argument("--final", metavar="KIND", choices=KINDS, action="append", default=[], help="until POST /release/KIND")
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    server.agency = Agency(options.sold_out, options.final)

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
