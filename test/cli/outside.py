"""outside.py - a service on loopback for the cases about failures: it answers as it is told, and keeps what it was asked.

    with Outside() as outside:
        outside.plan = [503, 503, (200, {"paid": True})]   # then 200 for ever
        outside.url("/pay"), outside.requests[0].body, outside.requests[0].headers["Idempotency-Key"]

An answer is a status, a pair of status and JSON, a triple with headers, a function of the request that gives one of these, or
HOLD: the request waits until `outside.go` is set, or for ever.
"""
import http.server
import json
import threading

from harness import until

HOLD = object()


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body

    @property
    def key(self):
        return self.headers["Idempotency-Key"]


class Outside(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, plan=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan, self.requests, self.lock = list(plan), [], threading.Lock()
        self.go = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __exit__(self, *_):
        self.go.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # who asked was killed

    @property
    def name(self):
        """As breakers call it."""
        return f"http://127.0.0.1:{self.server_port}"

    def url(self, path):
        return self.name + path

    def take(self, request):
        with self.lock:
            self.requests.append(request)
            return self.plan.pop(0) if self.plan else 200

    def wait(self, count):
        until(lambda: len(self.requests) >= count, f"{count} requests, of which there are {len(self.requests)},")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, self.headers, body)
        answer = self.server.take(request)
        if answer is HOLD:
            self.server.go.wait()
            answer = 200
        if callable(answer):
            answer = answer(request)
        status, value, headers = (answer if isinstance(answer, tuple) else (answer,)) + (None, None)[:3 - (
            len(answer) if isinstance(answer, tuple) else 1)]
        text = json.dumps({"ok": status == 200} if value is None else value).encode()
        self.send_response(status)
        for name, text_of in (headers or {}).items():
            self.send_header(name, text_of)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST

    def log_message(self, *args):
        pass
