#!/usr/bin/env python3
"""listener.py - HTTP over real sockets: requests, limits, parking, draining, misbehaving clients."""
import json
import os
import socket
import subprocess
import time
import warnings

from demo import Client, Demo, Skip, case, main, request, until

# ---- requests and answers


@case("an answer has a date, a type and a length, and the connection stays")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        for _ in range(3):
            answer = client.post("/echo?a=b%20c&d", b"hello")
            assert answer.status == 200 and answer.body == b"POST 2 /echo a=b%20c&d\nhello", answer
            assert set(answer.headers) == {"date", "content-type", "content-length"}, answer
            time.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")
    assert demo.count()["requests"] == 3
    demo.close()


@case("methods are known by name, others are told as they are")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        for number, method in enumerate(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "get")):
            expected = f"{method} {min(number, 7)} /x \n".encode()
            answer = client.ask(request("/x", method), head=method == "HEAD")
            assert answer.status == 200 and int(answer.headers["content-length"]) == len(expected), answer
            assert answer.body == (b"" if method == "HEAD" else expected), answer
    demo.close()


@case("a path is given as it came, a whole URL means its path, and anything else is refused")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        for target, told in (("/a%2Fb/%zz?x=%41&x", "/a%2Fb/%zz x=%41&x"), ("/?", "/ "), ("//a/../b", "//a/../b "),
                             ("http://test/a?b", "/a b"), ("https://test", "/ "), ("http://test?q", "/ q"), ("*", "* "),
                             ("/a?b?c", "/a b?c"), ("/é", "/é ")):
            answer = client.get(target)
            assert answer.body == f"GET 0 {told}\n".encode(), (target, answer)
    for target in ("a", "test:80", "ftp://test/a", "/a b", "/a\x01", "/a\tb", "/\x7f"):
        answer = demo.get(target)
        assert answer.status == 400, (target, answer)
        assert json.loads(answer.body)["status"] == 400, answer
    demo.close()


@case("headers are found in any case, the first of several")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        assert client.get("/header?x-one", X_One="1").body == b"1"
        assert client.ask(b"GET /header?X-ONE HTTP/1.1\r\nHost: h\r\nx-one:  a b \r\nX-one: c\r\n\r\n").body == b"a b"
        assert client.get("/header?x-empty", X_Empty="").body == b""
        assert client.get("/header?x-two", X_One="1").status == 404
    demo.close()


@case("an answer's header cannot end a header")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        answer = client.get("/put?plain text")  # a space in the target
        assert answer.status == 400, answer
    with demo.client() as client:
        answer = client.get("/put?plain%20%C3%A9")
        assert answer.status == 200 and answer.headers["x-put"] == "plain \xc3\xa9", answer
        for value in ("a%0d%0aX-Evil: 1".replace(" ", "%20"), "a%0ab", "a%0db", "a%00b", "a%09b", "%7f", "", "a" * 1600):
            answer = client.get("/put?" + value)
            assert answer.status == 400 and answer.body == b"refused\n" and "x-put" not in answer.headers, (value, answer)
            assert "x-evil" not in answer.headers, answer
    demo.close()


@case("an answer without a body has none")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        answer = client.get("/none")
        assert answer.status == 204 and "content-length" not in answer.headers, answer
        assert client.get("/echo").status == 200
    demo.close()


@case("a large answer comes whole, and again, and is not sent for HEAD")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        for _ in range(2):
            answer = client.get("/big?20000000")
            assert answer.status == 200 and len(answer.body) == 20000000 and not answer.body.strip(b"b")
        answer = client.ask(request("/big?20000000", "HEAD"), head=True)
        assert answer.headers["content-length"] == "20000000"
        assert client.get("/echo").status == 200
    demo.close()


@case("HTTP/1.0 and Connection: close end the connection behind the answer")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        assert client.ask(b"GET /echo HTTP/1.0\r\n\r\n").status == 200
        assert client.ends() == b""
    with demo.client() as client:
        answer = client.ask(b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert answer.status == 200 and answer.headers["connection"].lower() == "keep-alive", answer
        assert client.ask(b"GET /echo HTTP/1.0\r\n\r\n").status == 200
    with demo.client() as client:
        answer = client.get("/echo", Connection="close")
        assert answer.status == 200 and answer.headers["connection"] == "close", answer
        assert client.ends() == b""
    demo.close()


@case("pipelined requests are answered in their order, also behind one that is parked")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        client.send(b"".join(request(f"/{n}", "POST", b"x" * n) for n in range(100)))
        for n in range(100):
            assert client.answer().body == f"POST 2 /{n} \n".encode() + b"x" * n
        client.send(request("/park?50") + request("/after") + request("/park?1") + request("/last"))
        assert [client.answer().body for _ in range(4)] == [b"timeout\n", b"GET 0 /after \n", b"timeout\n", b"GET 0 /last \n"]
    demo.close()


@case("a request that comes byte by byte is a request")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request("/slowly", "PUT", b"body"):
            client.send(bytes([byte]))
        assert client.answer().body == b"PUT 3 /slowly \nbody"
    demo.close()


# ---- bodies


def chunked(*pieces, end=b"0\r\n\r\n"):
    head = b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


@case("chunks are one body; trailers and extensions are dropped")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        assert client.ask(chunked(b"a", b"bc", b"d" * 70000)).body == b"POST 2 /c \nabc" + b"d" * 70000
        assert client.ask(chunked()).body == b"POST 2 /c \n"
        assert client.ask(chunked(b"a", end=b"0\r\nX-Trailer: 1\r\n\r\n")).body == b"POST 2 /c \na"
        assert client.ask(chunked(b"a", end=b"1;ext=\"1\"\r\nb\r\n0;x\r\n\r\n")).body == b"POST 2 /c \nab"
        assert client.get("/echo").body == b"GET 0 /echo \n"
    demo.close()


@case("malformed chunks are refused")
def _(room):
    demo = Demo(room)
    for bad in (b"x\r\n", b"-1\r\n", b"\r\n", b"1\r\nab\r\n", b" 1\r\na\r\n", b"0x1\r\na\r\n"):
        with demo.client() as client:
            answer = client.ask(chunked(end=bad))
            assert answer.status == 400, (bad, answer)
            assert client.ends() == b""
    with demo.client() as client:
        assert client.ask(chunked(end=b"fffffffffffffffff\r\n")).status == 413
    demo.close()


@case("100 Continue comes before the body, and not when the body is refused")
def _(room):
    demo = Demo(room, "body_max=1000")
    with demo.client() as client:
        client.send(b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n")
        assert client.answer().status == 100
        assert client.ask(b"hello").body == b"POST 2 /e \nhello"
        assert client.get("/echo", Expect="100-continue").status == 100  # harmless, and then the answer
        assert client.answer().status == 200
    with demo.client() as client:
        client.send(b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
        assert client.answer().status == 413
        assert client.ends() == b""
    with demo.client() as client:
        assert client.get("/echo", Expect="200-ok").status == 417
    demo.close()


@case("a body may be as long as the limit; a longer one is refused before it is read")
def _(room):
    demo = Demo(room, "body_max=100000", "bodies_max=100000")
    with demo.client() as client:
        assert len(client.post("/echo", b"x" * 100000).body) == 100000 + len("POST 2 /echo \n")
        answer = client.ask(b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n")
        assert answer.status == 413 and answer.headers["connection"] == "close", answer
        assert json.loads(answer.body) == {"type": "urn:pawl:problem:too-large", "title": "Too large", "status": 413,
                                           "detail": "the body is larger than the limit", "code": "too-large",
                                           "action": "send less: the detail names the limit"}
        assert client.ends() == b""
    for length in (b"18446744073709551615", b"18446744073709551616", b"99999999999999999999999999"):
        with demo.client() as client:
            assert client.ask(b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: " + length + b"\r\n\r\n").status == 413
    counts = demo.count()
    assert counts["refused"] >= 1 and counts["requests"] == 1 and counts["body_bytes"] == 0, counts
    demo.close()


@case("who sends a body that is refused hears why")
def _(room):
    demo = Demo(room, "body_max=1000")
    for _ in range(20):
        with demo.client() as client:
            try:
                client.send(request("/e", "POST", b"x" * 3000000))
            except (BrokenPipeError, ConnectionResetError):
                pass  # it may be told while it still sends
            assert client.answer().status == 413
    demo.close()


@case("chunks are counted, and a body without an end is cut off")
def _(room):
    demo = Demo(room, "body_max=1000")
    with demo.client() as client:
        assert client.ask(chunked(b"x" * 600, b"y" * 400)).status == 200
        assert client.ask(chunked(b"x" * 600, b"y" * 401)).status == 413
    with demo.client() as client:
        client.send(chunked(end=b""))
        try:
            for _ in range(100000):
                client.send(b"64\r\n" + b"z" * 100 + b"\r\n")
            raise AssertionError("it takes for ever")
        except (BrokenPipeError, ConnectionResetError):
            pass
    demo.until(connections=0, body_bytes=0)
    demo.close()


@case("all bodies together have a limit")
def _(room):
    demo = Demo(room, "body_max=1000000", "bodies_max=1500000")
    with demo.client() as first, demo.client() as second:
        first.send(request("/a", "POST", b"x" * 1000000)[:-1])  # all but one byte: held
        until(lambda: demo.count()["body_bytes"] >= 1000000, "the first body")
        answer = second.ask(b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n")
        assert answer.status == 503 and answer.headers["retry-after"] == "1", answer
        with demo.client() as third:  # nobody knows how long it gets
            assert third.ask(chunked(*[b"y" * 10000] * 60)).status == 503
        with demo.client() as fourth:
            assert fourth.post("/d", b"z" * 100000).status == 200
        assert first.ask(b"x").status == 200
    demo.until(body_bytes=0)
    with demo.client() as client:
        assert client.post("/e", b"x" * 1000000).status == 200
    demo.close()


@case("a body is given back while its exchange is parked")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        client.send(request("/hold", "POST", b"x" * 1000000))
        demo.until(parked=1, body_bytes=0)
    demo.until(held=0)
    demo.close()


# ---- what is malformed


@case("request line and headers have a limit, which many small headers reach, too")
def _(room):
    demo = Demo(room, "header_max=2000")
    frame = len("GET /? HTTP/1.1\r\nHost: h\r\n\r\n") + 64
    exact = b"GET /?" + b"q" * (2000 - frame) + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    with demo.client() as client:
        assert client.ask(exact).status == 200
        answer = client.ask(exact.replace(b"?q", b"?qq"))
        assert answer.status == 431 and json.loads(answer.body)["status"] == 431, answer
        assert client.ends() == b""
    for many in (30, 100, 1000, 10000):
        with demo.client() as client:
            answer = client.ask(b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a:b\r\n" * many + b"\r\n")
            assert answer.status == 431, answer
    for long in (2000, 4000, 100000):
        with demo.client() as client:
            assert client.get("/", X="x" * long).status == 431
        with demo.client() as client:
            assert client.get("/" + "x" * long).status in (414, 431)
        with demo.client() as client:
            assert client.get("/", Cookie="; ".join("a=b" for _ in range(long // 5))).status == 431
    query = "&".join("a=b" for _ in range(400))  # counts as what it is
    assert demo.get("/?" + query).body == f"GET 0 / {query}\n".encode()
    demo.close()


@case("what makes it unclear where a request ends is refused")
def _(room):
    demo = Demo(room)
    rows = (
        ("Content-Length: 3\r\nContent-Length: 3", 400), ("Content-Length: 3\r\nContent-Length: 4", 400),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked", 400), ("Transfer-Encoding: chunked\r\nContent-Length: 3", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400), ("Transfer-Encoding: gzip", 501),
        ("Transfer-Encoding: gzip, chunked", 501), ("Transfer-Encoding: identity", 501), ("Content-Length : 3", 400),
        ("Content-Length: 3, 3", 400), ("Content-Length: -3", 400), ("Content-Length: +3", 400), ("Content-Length: 0x3", 400),
        ("Content-Length: 3 4", 400), ("Content-Length:", 400), ("Content-Length: abc", 400), ("No colon", 400),
        ("X Y: 1", 400), (": 1", 400), (":", 400), ("X: 1\r\n: 1\r\nY: 2", 400), ("Host: other", 400), ("X: 1\r\n goes on", 400),
        ("X: a\0b", 400), ("X\0Y: 1", 400),
    )
    for lines, status in rows:
        with demo.client() as client:
            client.send(f"POST /e HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            said = client.ends()
            assert said.startswith(b"HTTP/1.1 %d " % status), (lines, said)
            assert b"smuggled" not in said, (lines, said)
    with demo.client() as client:
        assert client.ask(b"GET / HTTP/1.1\r\n\r\n").status == 400
    with demo.client() as client:
        assert client.ask(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").status == 400
    assert demo.count()["requests"] == 0
    demo.close()


@case("what is no HTTP is told so")
def _(room):
    demo = Demo(room, "idle_ms=500")
    for line in (b"GARBAGE\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1x\r\n\r\n", b"GET / HTTQ/1.1\r\n\r\n",
                 b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n" * 20, b"\x00" * 100 + b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                 b"SSH-2.0-OpenSSH_9.2\r\n"):
        with demo.client() as client:
            said = client.send(line).ends()
            assert said[:9] == b"HTTP/1.1 " and said[9:12] in (b"400", b"408", b"505"), (line, said)
    for part in (b"GE", b"GET / HTTP/1.1\r\nHost: h\r\n", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na"):
        with demo.client() as client:  # it will never be a request
            client.send(part).socket.shutdown(socket.SHUT_WR)
            said = client.ends()
            assert said == b"" or said.startswith(b"HTTP/1.1 400 "), (part, said)
    with demo.client() as client:  # nothing said, nothing answered
        client.socket.shutdown(socket.SHUT_WR)
        assert client.ends() == b""
    assert demo.get("/ok").status == 200
    demo.close()


# ---- who may connect


@case("more connections than the limit are refused, and the next are served when one goes")
def _(room):
    demo = Demo(room, "connections=10")
    clients = [demo.client() for _ in range(10)]
    for client in clients:
        assert client.get("/echo").status == 200
    with demo.client() as client:
        answer = client.answer()
        assert answer.status == 503 and answer.headers["retry-after"] == "1", answer
        assert client.ends() == b""
    assert demo.count()["refused"] == 1
    clients.pop().socket.close()
    demo.until(connections=9)
    assert demo.get("/echo").status == 200
    demo.close()


@case("one address may have so many connections, others are served beside it")
def _(room):
    demo = Demo(room, "per_address=3")
    clients = [demo.client() for _ in range(3)]
    for client in clients:
        assert client.get("/echo").status == 200
    with demo.client() as client:
        assert client.answer().status == 429
    with demo.client(source=("127.0.0.2", 0)) as client:
        assert client.get("/echo").status == 200
    clients.pop().socket.close()
    demo.until(connections=2)
    assert demo.get("/echo").status == 200
    demo.close()


@case("several addresses, of both families")
def _(room):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6") or not open("/proc/net/if_inet6").read():
        raise Skip("there is no IPv6 here")
    demo = Demo(room, "per_address=1", listen="127.0.0.1:0, [::1]:0,127.0.0.2:0")
    urls = demo.addresses.split(",")
    assert [url.rsplit(":", 1)[0] for url in urls] == ["http://127.0.0.1", "http://[::1]", "http://127.0.0.2"]
    for url, host in zip(urls, ("127.0.0.1", "::1", "127.0.0.2")):
        with Client(int(url.rsplit(":", 1)[1]), host=host) as client:
            assert client.get("/echo").status == 200
        demo.until(connections=0)
    demo.close()


@case("an address that cannot be listened at is named")
def _(room):
    demo = Demo(room)
    for listen, told in (("127.0.0.1", "'127.0.0.1' is not ADDRESS:PORT"), ("", "'' is not ADDRESS:PORT"),
                         ("127.0.0.1:http", "is not ADDRESS:PORT"), ("127.0.0.1:65536", "is not ADDRESS:PORT"),
                         (":80", "is not ADDRESS:PORT"), ("::1:80", "is not ADDRESS:PORT"),
                         ("127.0.0.1:0,", "'' is not ADDRESS:PORT"), ("no.such.host.invalid:1", "no.such.host.invalid:1"),
                         ("192.0.2.1:0", "cannot listen at 192.0.2.1:0"),
                         (f"127.0.0.1:{demo.port}", f"cannot listen at 127.0.0.1:{demo.port}: Address already in use"),
                         (",".join(["127.0.0.1:0"] * 17), "at most 16 addresses")):
        process = subprocess.run([os.environ["HTTP_DEMO"], listen], capture_output=True, text=True, timeout=60, check=False)
        assert process.returncode == 1 and told in process.stderr, (listen, process)
    demo.close()


@case("when descriptors run out, connections are refused and not left waiting; then it goes on")
def _(room):
    demo = Demo(room)
    with demo.client() as before:
        assert before.get("/echo").status == 200
        demo.ask("descriptors")
        with demo.client() as client:
            said = client.ends()  # a 503, or a reset if we were slower
            assert said == b"" or said.startswith(b"HTTP/1.1 503 "), said
        assert before.get("/echo").status == 200
        demo.ask("descriptors")
        assert demo.get("/echo").status == 200
    assert demo.count()["refused"] >= 1
    demo.close()


# ---- time


@case("a connection without a request is closed after a while, without a word")
def _(room):
    demo = Demo(room, "idle_ms=100")
    with demo.client() as fresh, demo.client() as used:
        assert used.get("/echo").status == 200
        assert fresh.ends() == b"" and used.ends() == b""
    demo.until(connections=0, timed_out=0)
    demo.close()


@case("a request that stops is told so and cut off")
def _(room):
    demo = Demo(room, "idle_ms=100")
    for part in (b"GE", b"GET / HTTP/1.1", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nX: ",
                 b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc", chunked(b"abc", end=b"5\r\nab")):
        with demo.client() as client:
            assert client.send(part).ends().startswith(b"HTTP/1.1 408 "), part
    demo.until(connections=0, timed_out=6, body_bytes=0)
    demo.close()


@case("a request that goes on for ever, a little at a time, is cut off")
def _(room):
    demo = Demo(room, "idle_ms=20000", "request_ms=300")
    starts = (b"GET / HTTP/1.1\r\nHost: h\r\nX-A: ", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
    for start in starts:
        with demo.client() as client:
            client.send(start)
            client.socket.setblocking(False)
            said, end = b"", time.monotonic() + 60
            while time.monotonic() < end:
                try:
                    client.socket.send(b"a")
                    got = client.socket.recv(1000)
                    said += got
                    if not got:
                        break
                except BlockingIOError:
                    time.sleep(0.01)
                except OSError:
                    break
            else:
                raise AssertionError("it takes for ever")
            assert said == b"" or said.startswith(b"HTTP/1.1 408 "), said
    demo.until(connections=0, timed_out=2)
    demo.close()


@case("a client that does not read its answer is cut off")
def _(room):
    demo = Demo(room, "idle_ms=200")
    with demo.client() as client:
        client.send(request("/big?50000000"))
        demo.until(timed_out=1, connections=0)
    demo.close()


@case("a slow handler and a long park are not cut off")
def _(room):
    demo = Demo(room, "idle_ms=50", "request_ms=50")
    with demo.client() as slow, demo.client() as parked:
        parked.send(request("/park?400"))
        slow.send(request("/slow"))
        assert parked.answer().body == b"timeout\n"
        assert demo.get("/go").status == 200
        assert slow.answer().body == b"done\n"
    demo.close()


# ---- parking


@case("a parked exchange has a turn when its time is over, when it is woken, when the client goes")
def _(room):
    demo = Demo(room)
    assert demo.get("/park?1").body == b"timeout\n" and demo.get("/park?0").body == b"timeout\n"
    with demo.client() as client:
        client.send(request("/hold"))
        demo.until(parked=1, held=1)
        for woken in range(1, 20):
            demo.ask("wake")
            demo.until(woken=woken, parked=1)
    demo.until(gone=1, parked=0, held=0, connections=0)
    demo.close()


@case("a client that goes away is noticed behind what it has pipelined")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        client.send(request("/hold") + request("/echo") * 100)
        demo.until(parked=1)
    demo.until(gone=1, connections=0)
    with demo.client() as client:  # and a reset
        client.send(request("/hold"))
        demo.until(parked=1)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    demo.until(gone=2, connections=0)
    assert demo.count()["requests"] == 2
    demo.close()


@case("a client that only ends its sending still hears the answer")
def _(room):
    demo = Demo(room)
    for _ in range(100):  # before it is parked, or after
        with demo.client() as client:
            client.send(request("/hold"))
            client.socket.shutdown(socket.SHUT_WR)
            assert client.answer().body == b"gone\n"
            assert client.ends() == b""
    demo.close()


@case("a handler may ask whether the client is still there")
def _(room):
    demo = Demo(room)
    with demo.client() as client:
        client.send(request("/slow"))
        demo.until(running=1)
        client.socket.shutdown(socket.SHUT_WR)
        assert demo.get("/go").status == 200
        assert client.answer().body == b"done for nobody\n"
    demo.close()


# ---- the end


@case("draining answers what is carried out, ends what is parked, and takes nothing new")
def _(room):
    demo = Demo(room)
    idle, slow, parked, half = (demo.client() for _ in range(4))
    assert idle.get("/echo").status == 200
    slow.send(request("/slow"))
    parked.send(request("/hold"))
    half.send(b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
    demo.until(running=1, parked=1)
    other = demo.client()
    assert other.get("/echo").status == 200
    demo.send("drain 60000")
    assert idle.ends() == b""
    answer = parked.answer()
    assert answer.status == 503 and answer.body == b"stopping\n" and answer.headers["connection"] == "close", answer
    assert parked.ends() == b"" and other.ends() == b""
    answer = half.ask(b"cde")
    assert answer.status == 503 and answer.headers["retry-after"] == "1", answer
    try:
        with demo.client() as client:
            assert client.send(request("/new")).ends() == b""
    except ConnectionError:
        pass  # nobody listens there any more
    # /slow waits for a /go that can no longer come by HTTP
    demo.process.send_signal(10)  # SIGUSR1
    answer = slow.answer()
    assert answer.body == b"done\n" and answer.headers["connection"] == "close", answer
    assert demo.line() == "drained"
    demo.close()


@case("draining is over when its time is")
def _(room):
    demo = Demo(room)
    with demo.client() as slow:
        slow.send(request("/slow"))
        demo.until(running=1)
        assert demo.ask("drain 50") == "drained"
        demo.process.send_signal(10)
        demo.close()


@case("closing at once drops nothing but the sending")
def _(room):
    for _ in range(10):
        demo = Demo(room)
        clients = [demo.client() for _ in range(20)]
        for number, client in enumerate(clients):
            client.send(request("/hold" if number % 2 else "/echo") * 5)
        demo.close()


# ---- many


def hold_many(demo, count, first=None):
    clients = []
    for number in range(count):
        client = demo.client(source=(f"127.0.0.{1 + number // 5000}", 0))
        if first:
            assert client.get(first).status == 200
        clients.append(client.send(request("/hold", Accept="*/*", User_Agent="test/1.0")))
    demo.until(parked=count)
    return clients


@case("ten thousand idle polls take little memory, and others are served beside them")
def _(room):
    import resource  # pylint: disable=import-outside-toplevel
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 11500:
        raise Skip(f"the limit of descriptors is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        demo = Demo(room)
        before = int(demo.ask("memory"))
        clients = hold_many(demo, 10000, "/echo")
        each = (int(demo.ask("memory")) - before) * 1024 / 10000
        print(f"# {each:.0f} bytes for each")
        if os.environ.get("HTTP_PLAIN") == "yes":
            assert each < 12 * 1024, each
        with demo.client() as client:
            for _ in range(100):
                assert client.get("/echo").status == 200
        demo.ask("wake")
        demo.until(woken=10000, parked=10000)
        for client in clients[:5000]:
            client.socket.close()
        demo.until(gone=5000, parked=5000)
        assert demo.ask("drain 60000") == "drained"
        for client in clients[5000:]:
            assert client.answer().status == 503
        demo.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@case("a thousand slow clients do not keep others waiting")
def _(room):
    demo = Demo(room, "workers=2")
    slow = [demo.client() for _ in range(1000)]
    for round_ in range(5):
        for number, client in enumerate(slow):
            client.send((b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" if round_ == 0 else b"x") if number % 2
                        else (b"GET / HTTP/1.1\r\n" if round_ == 0 else b"X-A: b\r\n"))
        with demo.client() as client:
            for _ in range(50):
                assert client.get("/echo").status == 200
    assert demo.count()["requests"] == 250
    for number, client in enumerate(slow):
        assert client.ask(b"y" * 996 if number % 2 else b"Host: h\r\n\r\n").status == 200
    demo.close()


# ---- TLS


def certificate(room, days="2"):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                    "-days", days, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                   cwd=room.path, check=True, capture_output=True)
    return f"certificate={room.path}/cert.pem", f"key={room.path}/key.pem"


def trust(room, **more):
    import ssl  # pylint: disable=import-outside-toplevel
    context = ssl.create_default_context(cafile=os.path.join(room.path, "cert.pem"))
    for name, value in more.items():
        setattr(context, name, value)
    return context


@case("TLS: requests, bodies, parking and large answers, as without")
def _(room):
    demo = Demo(room, *certificate(room))
    assert demo.addresses == f"https://127.0.0.1:{demo.port}"
    with demo.client(tls=trust(room)) as client:
        assert client.socket.version() == "TLSv1.3"
        assert client.post("/echo", b"x" * 100000).body == b"POST 2 /echo \n" + b"x" * 100000
        assert client.get("/park?20").body == b"timeout\n"
        assert len(client.get("/big?3000000").body) == 3000000
        client.send(request("/park?20") + request("/after"))
        assert [client.answer().body, client.answer().body] == [b"timeout\n", b"GET 0 /after \n"]
        client.send(request("/hold"))
        demo.until(parked=1)
    demo.until(gone=1, connections=0)
    assert demo.ask("drain 60000") == "drained"
    demo.close()


@case("TLS: old versions and clients without TLS are refused, slow handshakes cut off")
def _(room):
    import ssl  # pylint: disable=import-outside-toplevel
    demo = Demo(room, *certificate(room), "idle_ms=300")
    with demo.client(tls=trust(room, maximum_version=ssl.TLSVersion.TLSv1_2)) as client:
        assert client.get("/echo").status == 200
    try:
        warnings.simplefilter("ignore", DeprecationWarning)
        old = trust(room)
        old.set_ciphers("DEFAULT@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        demo.client(tls=old)
        raise AssertionError("TLS 1.1 was taken")
    except (ssl.SSLError, ConnectionError):
        pass
    with demo.client() as client:
        assert b"HTTP" not in client.send(request("/echo")).ends()
    with demo.client() as client:
        client.send(b"\x16\x03\x01")
        client.ends()
    demo.until(connections=0)
    demo.close()


@case("TLS: what is wrong with a certificate or key is told")
def _(room):
    good = certificate(room)
    room.file("not.pem", "hello")
    room.file("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    path = room.path
    for options, told in (((good[0],), "needs both a certificate and a key"), ((good[1],), "needs both a certificate and a key"),
                          ((f"certificate={path}/none", good[1]), f"cannot open '{path}/none'"),
                          ((f"certificate={path}/not.pem", good[1]), f"'{path}/not.pem' is not a PEM file"),
                          ((f"certificate={path}/broken.pem", good[1]), "cannot start the HTTP server: "),
                          ((good[0], f"key={path}/cert.pem"), "cannot start the HTTP server: ")):
        process = subprocess.run([os.environ["HTTP_DEMO"], "127.0.0.1:0", *options], capture_output=True, text=True, timeout=60,
                                 check=False)
        assert process.returncode == 1 and told in process.stderr, (options, process)


if __name__ == "__main__":
    main()
