"""web.py - a real `pawl serve` and a client of the standard library, for the cases of the HTTP API.

    with_server = serve(room)                    # nobody is asked who he is
    answer = with_server.post("/v1/instances", {"name": "t/hello"}).gives(201)
    answer.json["id"], answer.headers["ETag"]

Every answer is checked for what all of them have: a problem document has its members, nothing may be stored.
"""
import http.client
import json
import re
import threading

from harness import until

LIMIT_S = 60
ADDRESS = re.compile(r"(https?)://(\[[^\]]+\]|[^:/\s]+):(\d+)")


class Answer:
    def __init__(self, asked, response, body):
        self.asked, self.status, self.headers, self.body = asked, response.status, response.headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def told(self):
        return f"{self.asked}: {self.status}\n{dict(self.headers)}\n{self.body[:2000]!r}"

    def gives(self, status):
        assert self.status == status, f"expected {status}: {self.told()}"
        return self

    def problem(self, status, code):
        self.gives(status)
        assert self.headers["Content-Type"] == "application/problem+json", self.told()
        told = self.json
        assert told["code"] == code, f"expected {code!r}: {self.told()}"
        assert told["type"] == "urn:pawl:problem:" + code and told["status"] == status, self.told()
        assert told["title"] and told["detail"] and told["action"], self.told()
        return self

    def says(self, *parts):
        for part in parts:
            assert part.encode() in self.body, f"expected {part!r}: {self.told()}"
        return self


class Client:
    """Requests to one server, each on a connection of its own unless it is kept."""

    def __init__(self, host, port, token=None):
        self.host, self.port, self.token = host, port, token

    def by(self, token):
        return Client(self.host, self.port, token)

    def connect(self, timeout=LIMIT_S):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def headers(self, body, headers, kind):
        all_headers = {}
        if self.token is not None:
            all_headers["Authorization"] = "Bearer " + self.token
        if body is not None:
            all_headers["Content-Type"] = kind or "application/json"
        all_headers.update(headers or {})
        return {name: value for name, value in all_headers.items() if value is not None}

    def send(self, connection, method, path, body=None, headers=None, kind=None):
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        connection.request(method, path, body=body, headers=self.headers(body, headers, kind))

    def ask(self, method, path, body=None, headers=None, kind=None, timeout=LIMIT_S):
        connection = self.connect(timeout)
        try:
            self.send(connection, method, path, body, headers, kind)
            response = connection.getresponse()
            return Answer(f"{method} {path}", response, response.read())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.ask("POST", path, body, **more)

    def delete(self, path, **more):
        return self.ask("DELETE", path, **more)

    def deploy(self, text, status=201):
        return self.post("/v1/definitions", text, kind="application/yaml").gives(status).json

    def start(self, name, status=201, query="", headers=None, **members):
        return self.post("/v1/instances" + query, {"name": name, **members}, headers=headers).gives(status).json

    def later(self, *args, **more):
        """A request on a thread of its own; call the result for the answer."""
        box = []

        def run():
            try:
                box.append(self.ask(*args, **more))
            except Exception as error:  # pylint: disable=broad-except
                box.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def answer():
            thread.join(LIMIT_S)
            assert box, "no answer came"
            if isinstance(box[0], Exception):
                raise box[0]
            return box[0]

        answer.pending = lambda: not box
        return answer


class Server(Client):
    def __init__(self, room, process, host, port):
        super().__init__(host, port)
        self.room, self.process = room, process

    def stop(self):
        self.process.terminate()
        return self.room.finish(self.process)


def serve(room, *flags, db="pawl.db", settings=None, env=None, **more):
    """Starts it and waits until it says where it listens. `settings` are keys of the configuration; more is Popen's."""
    words = ["serve", "--db", db, "--listen", "127.0.0.1:0"]
    if settings:
        room.file("settings.json", json.dumps(nested(settings)))
        words += ["--config", "settings.json"]
    process = room.start(*words, *flags, env=env, **more)
    seen = []

    def address():
        line = process.stdout.readline().decode()
        seen.append(line)
        assert line, f"it ended before it listened: {seen} {process.stderr.read().decode()}"
        return ADDRESS.search(line)

    found = until(address, "an address")
    for stream in (process.stdout, process.stderr):
        if stream:
            threading.Thread(target=drain, args=(stream,), daemon=True).start()
    return Server(room, process, found.group(2).strip("[]"), int(found.group(3)))


def with_tokens(room, identities, settings=None):
    """A store with these identities, served with authentication: the server, and their tokens by name."""
    web = serve(room)
    tokens = {}
    for name, (roles, groups) in identities.items():
        made = web.post("/v1/tokens", {"name": name, "roles": [{"role": role, "namespace": namespace} for role, namespace in roles],
                                       "ofGroups": groups}).gives(201).json
        tokens[name] = made["token"]
    assert web.stop().code == 0
    return serve(room, settings={"Server:Authentication": True, **(settings or {})}), tokens


def drain(stream):
    try:
        while stream.readline():
            pass
    except ValueError:  # closed by who waited for its end
        pass


def nested(settings):
    """{"A:B": 1} as {"A": {"B": 1}}."""
    tree = {}
    for path, value in settings.items():
        *folders, name = path.split(":")
        at = tree
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = value
    return tree
