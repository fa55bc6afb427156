#!/usr/bin/env python3
"""worker.py - `pawl worker`: a command of the user's for each job, over a server and over the owner's socket."""
import json
import os
import signal

from harness import RETRIED, Room, case, main, until
from web import serve

Room.settings = RETRIED  # what may be tried again is

ONE = """document: {dsl: 1.0.3, namespace: t, name: one, version: 1.0.0}
do:
  - work:
      call: work
      with: {n: '${ .n }'}
"""
LEASE = {"Jobs:Lease": "1s"}  # after a restart a job waits so long for who has it


def url(server):
    return f"http://{server.host}:{server.port}"


def script(room, text, name="work.sh"):
    """Waits for files that the case makes: its end is in the case's hands."""
    os.chmod(room.file(name, "#!/bin/sh\nset -e\nhold() { while [ ! -e \"$1\" ]; do sleep 0.02; done; }\n" + text), 0o755)
    return "./" + name


def path(room, name):
    return os.path.join(room.path, name)


def touch(room, name):
    room.file(name, "")


def start(room, server, n=1, count=1):
    return [room.pawl("start", "one", "--input", json.dumps({"n": n}), "--no-wait", "--json", "--server", url(server)).exits(0)
            .json()["id"] for _ in range(count)]


def at_end(room, server, identity):
    def look():
        instance = room.pawl("show", identity, "--json", "--server", url(server)).exits(0).json()
        return instance if "endedAt" in instance else None
    return until(look, f"the end of {identity}")


def jobs(room, server):
    return room.pawl("jobs", "--json", "--server", url(server)).exits(0).json()["jobs"]


def work(room, server, *command, words=(), env=None):
    """One worker, that ends after one job."""
    return room.pawl("worker", "work", "--jobs", "1", *words, "--server", url(server), "--", *command, env=env)


@case("a job's input is on standard input, its facts in the environment, and standard output is the result")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    command = script(room, 'cat > input.json\nenv | grep ^PAWL_ | grep -v URL > facts\necho "{\\"twice\\": $(jq ".n * 2" input.json)}"\n')
    for where in (["--server", url(server)], ["--db", "pawl.db"]):
        identity, = start(room, server, 21)
        done = room.pawl("worker", "work", "--jobs", "1", "--actor", "hand", *where, "--", command) if where[0] == "--db" else \
            room.pawl("worker", "work", "--jobs", "1", *where, "--", command)
        done.exits(0).prints("").complains("ready for jobs of work", f"work of {identity} /do/0/work, attempt 1: done")
        instance = at_end(room, server, identity)
        assert instance["output"] == {"twice": 42}, instance
        with open(path(room, "input.json"), encoding="utf-8") as file:
            assert json.load(file) == {"n": 21}
        with open(path(room, "facts"), encoding="utf-8") as file:
            facts = dict(line.rstrip("\n").split("=", 1) for line in file)
        assert facts["PAWL_INSTANCE"] == identity and facts["PAWL_TASK"] == "/do/0/work" and facts["PAWL_ATTEMPT"] == "1", facts
        assert facts["PAWL_FUNCTION"] == "work" and facts["PAWL_NAMESPACE"] == "t" and facts["PAWL_WORKFLOW"] == "one", facts
        assert facts["PAWL_CORRELATION"] == identity and facts["PAWL_IDEMPOTENCY_KEY"] and facts["PAWL_DEADLINE"], facts
    log = room.pawl("log", identity, "--json", "--db", "pawl.db").exits(0)
    assert "hand" in [json.loads(line).get("actor") for line in log.out.splitlines()], log.told()


@case("no output is null, and what is no JSON or more than 16 MiB is a failure")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    identity, = start(room, server)
    work(room, server, "true").exits(0)
    assert at_end(room, server, identity)["output"] is None
    identity, = start(room, server)
    work(room, server, "echo", "hello").exits(0).complains("failed: the result is no JSON")
    error = at_end(room, server, identity)["error"]
    assert error["title"] == "the result is no JSON" and "line 1" in error["detail"], error
    identity, = start(room, server)
    work(room, server, "head", "-c", "20000000", "/dev/zero").exits(0).complains("larger than 16 MiB")
    assert at_end(room, server, identity)["status"] == "faulted"


@case("an exit code is an error of the task, with the end of standard error, or as standard output says")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    identity, = start(room, server)
    work(room, server, script(room, "seq 1 2000 >&2; echo 'card is over' >&2; exit 3\n")).exits(0).complains("card is over", "failed: ./work.sh ended with 3")
    error = at_end(room, server, identity)["error"]
    assert error["title"] == "./work.sh ended with 3" and error["status"] == 500, error
    assert error["detail"].endswith("1999\n2000\ncard is over") and error["detail"].startswith("1") and len(error["detail"]) <= 2000, error
    identity, = start(room, server)
    said = '{"status": 402, "type": "https://shop.example/declined", "title": "Declined", "detail": "no money"}'
    work(room, server, script(room, f"echo '{said}'; exit 1\n")).exits(0)
    error = at_end(room, server, identity)["error"]
    assert (error["status"], error["type"], error["title"], error["detail"]) == (402, "https://shop.example/declined", "Declined", "no money"), error


@case("75 and a death by a signal are tried again, and the next attempt knows why")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    identity, = start(room, server)
    command = script(room, 'case $PAWL_ATTEMPT in 1) echo busy >&2; exit 75;; 2) kill -9 $$;; *) echo "$PAWL_LAST_ERROR";; esac\n')
    done = room.pawl("worker", "work", "--jobs", "3", "--server", url(server), "--", command).exits(0)
    done.complains("attempt 1: failed, to be tried again: ./work.sh ended with 75", "attempt 2: failed, to be tried again: ./work.sh was ended by signal 9",
                   "attempt 3: done")
    assert at_end(room, server, identity)["output"]["title"] == "./work.sh was ended by signal 9", done.told()


@case("as many jobs run at once as concurrency says, and no more")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    identities = start(room, server, count=5)
    command = script(room, 'touch run.$PAWL_INSTANCE; hold go; echo 1\n')
    worker = room.start("worker", "work", "--jobs", "5", "--concurrency", "3", "--server", url(server), "--", command)
    until(lambda: len([n for n in os.listdir(room.path) if n.startswith("run.")]) == 3, "three at once")
    states = sorted(job["state"] for job in jobs(room, server))
    assert states == ["leased"] * 3 + ["ready"] * 2, states
    touch(room, "go")
    room.finish(worker).exits(0)
    for identity in identities:
        assert at_end(room, server, identity)["output"] == 1


@case("heartbeats keep a job that takes longer than its lease")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    identity, = start(room, server)
    command = script(room, "touch runs; hold go; echo \"$PAWL_ATTEMPT\"\n")
    worker = room.start("worker", "work", "--jobs", "1", "--lease", "2s", "--name", "w-1", "--server", url(server), "--", command)
    until(lambda: room.exists("runs"), "the work")
    leases = set()

    def look():
        job, = jobs(room, server)
        assert job["state"] == "leased" and job["worker"] == "w-1" and job["attempt"] == 1, job
        leases.add(job["leaseUntil"])
        return len(leases) >= 6  # more than a lease, told by the leases themselves

    until(look, "heartbeats")
    touch(room, "go")
    room.finish(worker).exits(0)
    assert at_end(room, server, identity)["output"] == 1


@case("when the instance is cancelled the command is told to end, with all its group")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    identity, = start(room, server)
    command = script(room, "sleep 1000 &\necho $$ $! > pids.new; mv pids.new pids; wait\n")
    worker = room.start("worker", "work", "--jobs", "1", "--lease", "2s", "--server", url(server), "--", command)
    until(lambda: room.exists("pids"), "the work")
    with open(path(room, "pids"), encoding="utf-8") as file:
        pids = file.read().split()
    room.pawl("cancel", identity, "--server", url(server)).exits(0)
    room.finish(worker, timeout=60).exits(0).complains("given up, since nobody waits for it")
    until(lambda: not any(alive(pid) for pid in pids), "the end of the group")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@case("what ignores SIGTERM is killed after a while")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    identity, = start(room, server)
    command = script(room, "trap '' TERM\necho $$ > pid.new; mv pid.new pid; hold never\n")
    worker = room.start("worker", "work", "--jobs", "1", "--lease", "2s", "--server", url(server), "--", command)
    until(lambda: room.exists("pid"), "the work")
    room.pawl("cancel", identity, "--server", url(server)).exits(0)
    room.finish(worker, timeout=60).exits(0)


@case("SIGTERM takes no more jobs, and finishes what runs")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    one, two = start(room, server, count=2)
    command = script(room, "touch runs; hold go; echo 7\n")
    worker = room.start("worker", "work", "--server", url(server), "--", command)
    until(lambda: room.exists("runs"), "the work")
    worker.send_signal(signal.SIGTERM)
    touch(room, "go")
    room.finish(worker, timeout=60).exits(0).complains("attempt 1: done")
    states = sorted(room.pawl("show", i, "--json", "--server", url(server)).json()["status"] for i in (one, two))
    assert states == ["completed", "waiting"], states


@case("a worker without jobs ends at once when it is told to")
def _(room):
    server = serve(room)
    for where in (["--server", url(server)], ["--db", "pawl.db"], ["--db", "own.db"]):
        if where[1] == "own.db":
            room.file("one.yaml", ONE)
            room.pawl("deploy", "one.yaml", *where).exits(0)
        worker = room.start("worker", "work", *where, "--", "true")
        assert b"ready" in worker.stderr.readline()
        worker.send_signal(signal.SIGINT)
        room.finish(worker, timeout=30).exits(0)


@case("a second SIGTERM hands back what runs, and another attempt does it")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    identity, = start(room, server)
    command = script(room, "touch runs; hold go; echo $PAWL_ATTEMPT\n")
    worker = room.start("worker", "work", "--server", url(server), "--", command)
    until(lambda: room.exists("runs"), "the work")
    worker.send_signal(signal.SIGTERM)
    worker.send_signal(signal.SIGTERM)
    # two of one kind may be heard as one
    until(lambda: worker.poll() is not None or worker.send_signal(signal.SIGINT), "its end")
    done = room.finish(worker, timeout=60)
    assert done.code in (0, 130) and (done.code or "the worker was stopped" in done.err), done.told()
    touch(room, "go")
    if done.code == 0:
        work(room, server, command).exits(0).complains("attempt 2: done")
        assert at_end(room, server, identity)["output"] == 2


@case("a worker that is killed takes its command with it, and the job goes to another")
def _(room):
    server = serve(room, settings=LEASE)
    server.deploy(ONE)
    identity, = start(room, server)
    command = script(room, "echo $$ > pid.new; mv pid.new pid; hold go; echo $PAWL_ATTEMPT\n")
    worker = room.start("worker", "work", "--lease", "2s", "--server", url(server), "--", command)
    until(lambda: room.exists("pid"), "the work")
    with open(path(room, "pid"), encoding="utf-8") as file:
        pid = file.read().strip()
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    until(lambda: not alive(pid), "the end of the command")
    touch(room, "go")
    work(room, server, command).exits(0).complains("attempt 2: done")
    assert at_end(room, server, identity)["output"] == 2


@case("a server that is killed and started again gets the result of the job that ran meanwhile")
def _(room):
    server = serve(room, settings=LEASE)
    server.deploy(ONE)
    identity, = start(room, server)
    command = script(room, "touch runs; hold go; echo \"$PAWL_ATTEMPT\"\n")
    worker = room.start("worker", "work", "--jobs", "1", "--server", url(server), "--", command)
    until(lambda: room.exists("runs"), "the work")
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    again = room.start("serve", "--db", "pawl.db", "--listen", f"127.0.0.1:{server.port}", "--set", "Jobs:Lease=60s")
    assert again.stdout.readline().startswith(b"listening")
    touch(room, "go")
    room.finish(worker).exits(0).complains("attempt 1: done")
    assert at_end(room, server, identity)["output"] == 1


@case("a worker waits for a server that is away, and says so once")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    worker = room.start("worker", "work", "--jobs", "1", "--server", url(server), "--", "echo", "5")
    assert b"ready" in worker.stderr.readline()
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    assert b"trying again" in worker.stderr.readline()
    again = room.start("serve", "--db", "pawl.db", "--listen", f"127.0.0.1:{server.port}")
    assert again.stdout.readline().startswith(b"listening")
    identity, = start(room, server)
    room.finish(worker).exits(0)
    assert at_end(room, server, identity)["output"] == 5


@case("on a store that nobody owns the worker owns it, and others reach it")
def _(room):
    room.file("one.yaml", ONE)
    room.pawl("deploy", "one.yaml", "--db", "s.db").exits(0)
    worker = room.start("worker", "work", "--db", "s.db", "--jobs", "2", "--concurrency", "2", "--", "jq", ".n + 1")
    assert b"ready" in worker.stderr.readline()
    room.pawl("run", "one.yaml", "--input", '{"n": 1}', "--db", "s.db").exits(0).prints("2\n")
    room.pawl("run", "one.yaml", "--input", '{"n": 2}', "--db", "s.db").exits(0).prints("3\n")
    room.finish(worker).exits(0)


@case("input that the command does not read is no trouble, however large")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    room.file("large.json", json.dumps({"n": "x" * 3000000}))
    room.pawl("start", "one", "--input", "@large.json", "--no-wait", "--server", url(server)).exits(0)
    work(room, server, "echo", "1").exits(0).complains("done")
    room.pawl("start", "one", "--input", "@large.json", "--no-wait", "--server", url(server)).exits(0)
    work(room, server, "wc", "-c").exits(0).complains("done")
    outputs = [i["id"] for i in room.pawl("ls", "--json", "--server", url(server)).json()["instances"]]
    assert sorted(str(at_end(room, server, i)["output"]) for i in outputs) == ["1", "3000008"]


@case("a process that the command leaves in the background does not hold the job")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    identity, = start(room, server)
    work(room, server, script(room, "echo 4; sleep 1000 & echo $! > pid\n")).exits(0).complains("done")
    assert at_end(room, server, identity)["output"] == 4
    with open(path(room, "pid"), encoding="utf-8") as file:
        os.kill(int(file.read()), signal.SIGKILL)


@case("the command inherits its three standard streams, and nothing else that is open")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    command = script(room, "ls -l /proc/$$/fd > list\ngrep -cE 'socket|pipe|pidfd|pawl.db' list\n")
    for where in (["--server", url(server)], ["--db", "pawl.db"]):
        identity, = start(room, server)
        room.pawl("worker", "work", "--jobs", "1", *where, "--", command).exits(0)
        assert at_end(room, server, identity)["output"] == 3


@case("a command that cannot be run, and other words that are wrong, are bad usage")
def _(room):
    room.file("plain", "no program")
    for words, says in ((["work", "--db", "s.db", "--", "no-such-command"], "cannot run 'no-such-command'"),
                        (["work", "--db", "s.db", "--", "./plain"], "cannot run './plain': Permission denied"),
                        (["work", "--db", "s.db"], "FUNCTION -- COMMAND"), (["work", "--", "true"], "which store?"),
                        (["work", "--db", "memory:", "--", "true"], "a store that stays"),
                        (["work", "--lease", "1ms", "--db", "s.db", "--", "true"], "100ms to 1h"),
                        (["work", "--concurrency", "1000", "--db", "s.db", "--", "true"], "1 to 256")):
        room.pawl("worker", *words).exits(2).complains(says)


@case("jobs lists functions and jobs, as tables and as JSON")
def _(room):
    server = serve(room)
    server.deploy(ONE)
    room.pawl("jobs", "--server", url(server)).exits(0).prints("").complains("none")
    identity, other = start(room, server, count=2)
    lines = room.pawl("jobs", "--server", url(server)).exits(0).out.splitlines()
    assert lines[0].split() == ["FUNCTION", "READY", "LEASED", "POLLS", "AT", "MOST", "RATE"], lines
    assert lines[1].split() == ["work", "2", "0", "0", "-", "-"], lines
    assert lines[3].split() == ["FUNCTION", "INSTANCE", "TASK", "ATTEMPT", "STATE", "WORKER", "SINCE"], lines
    assert sorted(line.split()[1] for line in lines[4:]) == sorted([identity, other]), lines
    found = room.pawl("jobs", "--instance", other, "--json", "--db", "pawl.db").exits(0).json()["jobs"]
    assert [job["instance"] for job in found] == [other] and found[0]["state"] == "ready", found
    assert room.pawl("jobs", "--function", "none", "--json", "--server", url(server)).exits(0).json()["jobs"] == []


if __name__ == "__main__":
    main()
