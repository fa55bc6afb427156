"""harness.py - test cases against the real `pawl`, printed as TAP.

    from harness import case, main, Room

    @case("help lists every command")
    def _(room):
        room.pawl("help").exits(0).says("run")

    if __name__ == "__main__":
        main()

Each case gets a Room: a fresh directory, which is the working directory of what it starts, and which is
removed after the case with every process that is left. PAWL names the program; an argument is a filter.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

PAWL = os.environ.get("PAWL", "pawl")
if os.sep in PAWL:
    PAWL = os.path.abspath(PAWL)
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LIMIT_S = 120  # one command; also under a sanitizer

cases = []


class Skip(Exception):
    pass


def case(sentence):
    def add(function):
        cases.append((sentence, function))
        return function

    return add


class Done:
    """What a command came to."""

    def __init__(self, words, code, out, err):
        self.words, self.code, self.raw, self.raw_err = words, code, out, err
        self.out, self.err = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def told(self):
        return f"{' '.join(map(str, self.words))}\nexit {self.code}\nstdout: {self.out[-2000:]}\nstderr: {self.err[-2000:]}"

    def exits(self, code):
        assert self.code == code, f"expected exit {code}: {self.told()}"
        return self

    def prints(self, text):
        assert self.out == text, f"expected stdout {text!r}: {self.told()}"
        return self

    def says(self, *parts):
        for part in parts:
            assert part in self.out, f"expected {part!r} on stdout: {self.told()}"
        return self

    def complains(self, *parts):
        for part in parts:
            assert part in self.err, f"expected {part!r} on stderr: {self.told()}"
        return self

    def silent(self):
        assert self.err == "", f"expected nothing on stderr: {self.told()}"
        return self

    def json(self):
        return json.loads(self.out)


ONCE = {f"WorkflowResilience__Faults__Table__{kind}__{error}": "incident" for kind, error in [
    *(("activity", error) for error in ("connection", "timeout", "throttled", "server-error", "client-error",
                                        "malformed-answer", "store-unavailable", "other")),
    *(("external-call", error) for error in ("connection", "timeout", "throttled", "server-error", "store-unavailable", "other"))]}

# With attempts, and hardly a delay between them.
RETRIED = {"PAWL_EGRESS_ALLOW": "loopback", "WorkflowResilience__Retry__BaseDelay": "1ms",
           "WorkflowResilience__ExternalCall__BaseDelay": "1ms"}


class Room:
    # The services of the cases are on this machine, and what fails is not tried again, so that a case sees its first error;
    # only an attempt that is lost with its process is. Who needs other settings gives them to a command, or changes this at
    # the top of the file.
    settings = {"PAWL_EGRESS_ALLOW": "loopback", **ONCE}

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="pawl-test-")
        self.processes = []
        self.env = {key: value for key, value in os.environ.items()
                    if key not in ("PAWL_DB", "PAWL_SERVER", "PAWL_TOKEN", "PAWL_CA", "PAWL_FAULT")}
        self.env.update(self.settings)
        self.env["TMPDIR"] = self.path
        self.env["LC_ALL"] = "C.UTF-8"

    def file(self, name, text):
        path = os.path.join(self.path, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def exists(self, name):
        return os.path.exists(os.path.join(self.path, name))

    def start(self, *words, program=PAWL, stdin=subprocess.DEVNULL, env=None, **more):
        process = subprocess.Popen([program, *words], stdin=stdin, stdout=more.pop("stdout", subprocess.PIPE),
                                   stderr=more.pop("stderr", subprocess.PIPE), cwd=self.path,
                                   env={**self.env, **(env or {})}, **more)
        process.words = (program, *words)
        self.processes.append(process)
        return process

    def finish(self, process, send=None, timeout=LIMIT_S):
        out, err = process.communicate(send, timeout=timeout)
        return Done(process.words, process.returncode, out or b"", err or b"")

    def pawl(self, *words, send=None, env=None, **more):
        if send is not None:
            more["stdin"] = subprocess.PIPE
        return self.finish(self.start(*words, env=env, **more), send)

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.communicate()
        for folder, names, _ in os.walk(self.path):
            for name in names:
                os.chmod(os.path.join(folder, name), 0o700)
        shutil.rmtree(self.path, ignore_errors=True)


def until(condition, what, seconds=60):
    """Waits for something that another process does."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.02)


def main():
    chosen = [(name, function) for name, function in cases if len(sys.argv) < 2 or sys.argv[1] in name]
    suite = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for number, (name, function) in enumerate(chosen, 1):
        room = Room()
        try:
            function(room)
            print(f"ok {number} - {suite}: {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {suite}: {name} # SKIP {why}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            for line in traceback.format_exc().splitlines()[-25:]:
                print(f"# {line}")
            print(f"not ok {number} - {suite}: {name}", flush=True)
        finally:
            room.close()
    sys.exit(1 if failed else 0)
