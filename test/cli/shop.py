"""shop.py - orders that have stopped because their service does not work, for the cases of what an operator does about them.

    shop = Shop(room)
    identity = shop.order()       # faulted at /do/1/charge, with {"n": 5} as its input
    shop.refused(identity, (["skip", identity, "--output", "17"], "what it says"))
"""
import json

from service import Service

DB = ("--db", "s.db")
ORDER = """
document: {dsl: 1.0.3, namespace: t, name: NAME, version: 1.0.0}
do:
  - take: {set: {n: '${ .n }'}, export: {as: '${ {note: "taken", items: [1, 2]} }'}}
  - charge:
      input: {schema: {document: {type: object, properties: {n: {type: number}}, required: [n]}}}
      call: http
      with: {method: post, endpoint: 'URL/charge', body: {n: '${ .n }'}}
      output: {as: '${ {paid: .} }', schema: {document: {type: object, properties: {paid: {type: object}}}}}
  - close: {set: {last: '${ . }', note: '${ $context.note }', items: '${ $context.items }'}, then: end}
  - hand: {set: {byHand: '${ . }'}}
"""


class Shop:
    """A definition, its service, and a store."""

    def __init__(self, room):
        self.room, self.service = room, Service()
        self.service.answer = 500

    def order(self, n="5", name="order"):
        """One that has stopped at `charge`."""
        self.room.file(f"{name}.yaml", ORDER.replace("URL", self.service.url).replace("NAME", name))
        self.room.pawl("run", f"{name}.yaml", "--input", '{"n": ' + n + "}", *DB).exits(1)
        return self.room.pawl("ls", "--name", name, *DB, "--json").exits(0).json()["instances"][0]["id"]

    def shown(self, identity):
        return self.room.pawl("show", identity, *DB, "--json").exits(0).json()

    def entries(self, identity, kind):
        steps = [json.loads(line) for line in self.room.pawl("log", identity, *DB, "--json").exits(0).out.splitlines()]
        return [entry for step in steps for entry in step["entries"] if entry["type"] == kind]

    def incident(self, identity):
        """The newest of the instance."""
        return self.room.pawl("incidents", "--all", "--instance", identity, *DB, "--json").exits(0).json()["incidents"][0]

    def unmoved(self, identity, *commands):
        """Commands that are refused, or dry, change nothing and call nobody: what they say. Words of one, or several."""
        before, count = self.shown(identity), self.service.count
        done = [self.room.pawl(*words, *DB) for words in commands]
        assert self.shown(identity) == before and self.service.count == count, [one.told() for one in done]
        return done

    def refused(self, identity, *commands):
        """The same of (words, why): each is refused because of that."""
        for done, (_, why) in zip(self.unmoved(identity, *(words for words, _ in commands)), commands):
            done.exits(2).complains(why).prints("")
