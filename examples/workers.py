#!/usr/bin/env python3
"""workers.py - does the jobs of shop.yaml: a stock and a bank, in one process.

    python3 examples/workers.py [--server http://127.0.0.1:8080] [--token-file FILE]

The bank is away for a moment now and then, which costs an order an attempt and nothing else; it never takes the money for
one order twice, since it knows each attempt by the same idempotency key.
"""
import argparse
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients", "python"))
from pawl import Client, Failure, Worker  # noqa: E402 pylint: disable=wrong-import-position

SHELVES = {"pen": "A1", "desk": "C7"}


class Bank:
    def __init__(self):
        self.lock = threading.Lock()
        self.receipts, self.asked = {}, 0

    def charge(self, key, amount):
        with self.lock:
            if key in self.receipts:
                return self.receipts[key]  # asked again: the first answer
            self.asked += 1
            if self.asked % 5 == 0:
                raise ConnectionError("the bank's line is busy")
            self.receipts[key] = f"r-{len(self.receipts) + 1}-{amount}"
            return self.receipts[key]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--server", default=os.environ.get("PAWL_SERVER", "http://127.0.0.1:8080"))
    options.add_argument("--token-file")
    options.add_argument("--ca")
    given = options.parse_args()
    token = os.environ.get("PAWL_TOKEN")
    if given.token_file:
        with open(given.token_file, encoding="utf-8") as file:
            token = file.read().strip()
    bank = Bank()
    worker = Worker(Client(given.server, token, ca=given.ca), concurrency=8, lease=10)

    @worker.function("shop.reserve")
    def reserve(job):
        for item in job.input["items"]:
            if item["sku"] not in SHELVES:
                raise Failure("Not in stock", f"there is no {item['sku']}", status=404)
        return {"shelf": SHELVES[job.input["items"][0]["sku"]]}

    @worker.function("shop.charge")
    def charge(job):
        try:
            receipt = bank.charge(job.idempotency_key, job.input["amount"])
        except ConnectionError as error:
            raise Failure("No line to the bank", str(error), status=503, retryable=True) from error
        print(f"{job.input['order']}: {receipt}", flush=True)
        return {"receipt": receipt}

    print("ready", flush=True)
    worker.run()
    print("done", flush=True)


if __name__ == "__main__":
    main()
