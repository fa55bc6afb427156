#!/usr/bin/env python3
"""schedules.py - definitions that start by themselves, at the command line: what is shown, pause and stop, and what a kill
between the commit of a deployment and the start of its schedule leaves."""
import signal

from harness import Skip, case, main, until

DB = ("--db", "shop.db")


def definition(name, version, schedule, ours="{}"):
    return (f"document: {{dsl: 1.0.3, namespace: shop, name: {name}, version: {version}, "
            f"metadata: {{pawl: {{schedule: {ours}}}}}}}\n"
            + (f"schedule: {{{schedule}}}\n" if schedule else "") + "do: [{a: {set: {x: 1}}}]\n")


def deploy(room, name, version, schedule, ours="{}", **more):
    room.file(f"{name}.yaml", definition(name, version, schedule, ours))
    return room.pawl("deploy", f"{name}.yaml", *DB, **more)


def schedules(room, *words):
    return room.pawl("schedules", "--json", *DB, *words).exits(0).json()["schedules"]


@case("deploy tells the schedule, and schedules, ls and definitions show it")
def _(room):
    done = deploy(room, "daily", "1.0.0", "cron: '0 9 1 1 *'", "{overlap: skip}").exits(0)
    first, second = done.out.splitlines()
    assert first == "shop/daily 1.0.0 published" and second.startswith("schedule "), done.told()
    own = second.split()[1]
    deploy(room, "often", "1.0.0", "every: {days: 400}").exits(0)
    deploy(room, "again", "1.0.0", "after: P1Y").exits(0)
    deploy(room, "paid", "1.0.0", "on: {one: {with: {type: order.paid}}}").exits(0)
    deploy(room, "plain", "1.0.0", "").exits(0).prints("shop/plain 1.0.0 published\n")
    found = {one["name"]: one for one in schedules(room)}
    assert set(found) == {"daily", "often", "again", "paid"}, found
    daily = found["daily"]
    assert daily["instance"] == own and daily["next"].endswith("-01-01T09:00:00.000Z"), daily
    assert [daily[key] for key in ("kind", "expression", "timeZone", "overlap", "catchUp", "fired", "status")] == \
        ["cron", "0 9 1 1 *", "UTC", "skip", "one", 0, "waiting"], daily
    assert found["often"]["expression"] == '{"days":400}' and "timeZone" not in found["often"], found
    assert "overlap" not in found["again"] and found["paid"]["kind"] == "on", found
    assert "next" not in found["paid"] and found["paid"]["status"] == "waiting", found
    assert [one["name"] for one in schedules(room, "--name", "shop/daily")] == ["daily"]
    lines = room.pawl("schedules", *DB).exits(0).silent().out.splitlines()
    assert lines[0].split() == ["DEFINITION", "VERSION", "WHEN", "STATUS", "NEXT", "LAST", "INSTANCE"], lines
    assert any(line.startswith("shop/daily  1.0.0    cron 0 9 1 1 * (UTC)") for line in lines), lines
    assert any("  a message  " in line for line in lines), lines
    room.pawl("ls", *DB).exits(0).complains("no instances")
    room.pawl("ls", "--schedules", *DB).exits(0).says(own)
    room.pawl("definitions", *DB).exits(0).says("published, scheduled")


@case("a page has a next one, and without schedules there is a note")
def _(room):
    deploy(room, "plain", "1.0.0", "").exits(0)
    room.pawl("schedules", *DB).exits(0).prints("").complains("pawl schedules: none")
    for name in ("a", "b", "c"):
        deploy(room, name, "1.0.0", "every: P1Y").exits(0)
    page = room.pawl("schedules", "--json", "--limit", "2", *DB).exits(0).json()
    assert len(page["schedules"]) == 2, page
    rest = room.pawl("schedules", "--json", "--after", page["next"], *DB).exits(0).json()
    assert len(rest["schedules"]) == 1 and "next" not in rest, rest
    room.pawl("schedules", "--limit", "2", *DB).exits(0).complains("pawl schedules --after")


@case("suspend pauses, continue goes on, cancel stops until another version comes")
def _(room):
    deploy(room, "daily", "1.0.0", "every: P1Y").exits(0)
    own = schedules(room)[0]["instance"]
    room.pawl("suspend", own, *DB).exits(0)
    assert schedules(room)[0]["status"] == "suspended"
    room.pawl("continue", own, *DB).exits(4)  # it waits
    assert schedules(room)[0]["status"] == "waiting"
    room.pawl("cancel", own, *DB).exits(0)
    assert schedules(room) == []
    deploy(room, "daily", "1.0.0", "every: P1Y").exits(0).prints("shop/daily 1.0.0 was published before\n")
    assert schedules(room) == []
    deploy(room, "daily", "1.1.0", "every: P2Y").exits(0)
    assert [one["version"] for one in schedules(room)] == ["1.1.0"]
    room.pawl("deprecate", "shop/daily@1.1.0", *DB).exits(0)
    assert schedules(room) == []  # that of 1.0.0 was stopped


@case("who is killed while it deploys leaves nothing, or what the next one makes good")
def _(room):
    points = ("deploy-before-commit", "deploy-after-commit", "schedule-before-start", "engine-before-decide",
              "engine-after-decide", "store-before-commit:3", "store-after-commit:3", "engine-after-commit",
              "engine-before-answer")
    deploy(room, "plain", "1.0.0", "").exits(0)
    killed = []
    for number, point in enumerate(points):
        name = f"daily{number}"
        done = deploy(room, name, "1.0.0", "every: P1Y", env={"PAWL_FAULT": point})
        killed.append(done.code == -signal.SIGKILL)
        published = any(one["name"] == name for one in
                        room.pawl("definitions", "--json", *DB).exits(0).json()["definitions"])
        assert published or point.startswith(("deploy-before", "store-")), (point, done.told())
        assert not published or point != "deploy-before-commit", done.told()

        def kept():
            room.pawl("deploy", "plain.yaml", *DB).exits(0)  # somebody owns the store for a while
            return len(schedules(room, "--name", name)) == published
        until(kept, f"the schedule after {point}")
        room.pawl("deploy", "plain.yaml", *DB).exits(0)
        assert len(schedules(room, "--name", name)) == published, point
        made = room.pawl("ls", "--schedules", "--json", "--name", name, *DB).exits(0).json()["instances"]
        assert len(made) == published, (point, made)
    if not any(killed):
        raise Skip("pawl is built without fault points")
    assert all(killed), list(zip(points, killed))


if __name__ == "__main__":
    main()
