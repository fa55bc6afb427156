"""service.py - an HTTP service for the cases of calls: it answers as it is told to, and remembers what it heard.

    service = Service()
    service.answer = 500                  # or "hang": no answer until let_go(); or "drop": the connection ends
    service.answers["/ship"] = 200        # of one path, before that
    service.url, service.name             # "http://127.0.0.1:PORT", which is also the name of its circuit breaker
    service.keys                          # of each request, in order; so are paths and bodies
"""
import http.server
import json
import threading


class Service:
    def __init__(self):
        self.answer, self.answers, self.paths, self.keys, self.bodies = 200, {}, [], [], []
        self.gate = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = outer.answers.get(self.path, outer.answer)
                outer.paths.append(self.path)
                outer.bodies.append(json.loads(body) if body else None)
                outer.keys.append(self.headers["Idempotency-Key"])
                if answer == "hang":
                    outer.gate.wait(120)
                    answer = 200
                try:
                    if answer == "drop":
                        self.close_connection = True
                        self.connection.close()
                        return
                    text = json.dumps({"done": True} if answer < 400 else {"why": "told to"}).encode()
                    self.send_response(answer)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    pass  # who called is gone

            do_GET = do_POST

            def log_message(self, *_):
                pass

        class Threads(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass

        self.server = Threads(("127.0.0.1", 0), Handler)
        self.url = self.name = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def count(self):
        return len(self.keys)

    def let_go(self):
        self.answer = 200
        self.gate.set()

    def workflow(self, name="charge", namespace="t", more=""):
        """A workflow that calls it once; `more` stands beside the task's `call`, as flow YAML."""
        return (f"document: {{dsl: 1.0.3, namespace: {namespace}, name: {name}, version: 1.0.0}}\n"
                f"do:\n  - charge: {{call: http, with: {{method: post, endpoint: '{self.url}/charge', body: {{n: '${{ .n }}'}}}}{more}}}\n")
