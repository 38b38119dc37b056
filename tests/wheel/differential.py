#!/usr/bin/env python3
"""Sends one random stream of requests to the reference and to a server, and compares every answer.

The reference is the core of the ml-metadata wheel in this process; the server must be on a fresh database, so that both stores give out
the same ids; with `--url`, the server's database, the ids that it used up for a refused write are given back. Answers that differ are looked up in `differences.KNOWN_DIFFERENCES`; anything else is printed and fails the run. When one
side applied a write and the other did not, the stores have parted and the run ends there. Afterwards the server alone is asked about the
defects that would have parted the stores (`fixed_defects`).

    differential.py --port 8080 --requests 10000 --seed 1
    differential.py --port 8080 --record stream.txt          also write the stream to a file
    differential.py --port 8080 --replay stream.txt          send the stream of a file instead
    differential.py --port 8080 --self-check                 the server is the reference itself (oracle.py): allow no difference at all

A line of a stream file is METHOD, the encoded request in hexadecimal and its text format, separated by tabs. With `-` in the second place
the text format counts, so that a stream can be written by hand.
"""
import argparse
import sys
import time
from collections import Counter, defaultdict

from google.protobuf import text_format
from ml_metadata.proto import metadata_store_pb2 as pb

import fixed_defects
from compare import Clock, comparable
from differences import KNOWN_DIFFERENCES, Exchange, known_difference
from generated_ids import generated_ids
from generator import Call, Generator
from model import KINDS, LISTS
from oracle import CODE_NAMES, METHODS, OK, UNIMPLEMENTED, Core, Remote, fake_database, request_class
from pools import CURRENT_TIME, PREVIOUS_TOKEN

MOST_PRINTED = 30
SHOWN_CHARACTERS = 3000


class Side:
    """One of the two stores, with its clock and its page tokens."""

    def __init__(self, store, ids=None):
        self.store = store
        self._ids = ids
        self.clock = Clock()
        self._tokens = {}

    def call(self, number, call):
        request = self._own(call)
        writes = call.method.startswith("Put")
        if writes:
            self.clock.start(number)
        answer = self.store.call(call.method, request)
        if writes:
            self.clock.end()
            if answer.code != OK and self._ids:
                self._ids.rewind()
        return answer

    def keep_token(self, method, response):
        self._tokens[method] = response.next_page_token

    def _own(self, call):
        """The request with this side's own page token and times in place of what stands for them."""
        if isinstance(call.request, bytes):
            return call.request
        own = type(call.request)()
        own.CopyFrom(call.request)
        if call.method in LISTS and own.options.next_page_token == PREVIOUS_TOKEN:
            own.options.next_page_token = self._tokens.get(call.method, "")
        if call.method == "PutArtifacts":
            for artifact in own.artifacts:
                if artifact.last_update_time_since_epoch == CURRENT_TIME and artifact.HasField("id"):
                    artifact.last_update_time_since_epoch = self._last_update_time(artifact.id)
        return own

    def _last_update_time(self, artifact_id):
        stored = self.store.ok("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts
        return stored[0].last_update_time_since_epoch if stored else 0


class Report:
    """Counts what happened and prints what must not."""

    def __init__(self, seed):
        self._seed = seed
        self._codes = defaultdict(Counter)
        self._known = Counter()
        self.unexpected = 0

    def count(self, method, code):
        self._codes[method][CODE_NAMES[code]] += 1

    def known(self, row):
        self._known[row] += 1

    def difference(self, exchange):
        self.unexpected += 1
        if self.unexpected > MOST_PRINTED:
            return
        print(f"\n--- unexpected difference, seed {self._seed}, request {exchange.number}: {exchange.method}")
        for title, text in (("request", write_call(exchange.call)), ("expected", exchange.expected), ("actual", exchange.actual)):
            print(f"{title}: {str(text)[:SHOWN_CHARACTERS]}")
        for path, left, right in unequal(exchange.expected_form, exchange.actual_form):
            print(f"    {path}: expected {str(left)[:300]} got {str(right)[:300]}")

    def print_tables(self):
        print(f"\n{'method':36}{'requests':>9}{'OK':>8}  answers of the reference other than OK")
        total = sum(self._codes.values(), Counter())
        for method, codes in [(method, self._codes[method]) for method in METHODS] + [("all", total)]:
            others = ", ".join(f"{name} {count}" for name, count in codes.most_common() if name != "OK")
            print(f"{method:36}{codes.total():9}{codes['OK']:8}  {others}")
        print("\nknown differences")
        for difference in KNOWN_DIFFERENCES:
            print(f"{difference.row:>6} {self._known[difference.row]:6}  {difference.why}")
        print(f"\nunexpected differences: {self.unexpected}")


def unequal(left, right, path=""):
    """The places where two plain structures differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            yield from unequal(left.get(key), right.get(key), f"{path}.{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right)):
            yield from unequal(one, other, f"{path}[{index}]")
    elif left != right:
        yield path, left, right


def write_call(call):
    """A call as a line of a stream file."""
    if isinstance(call.request, bytes):
        return f"{call.method}\t{call.request.hex()}\tbytes that are no message"
    text = text_format.MessageToString(call.request, as_one_line=True)
    return f"{call.method}\t{call.request.SerializeToString().hex()}\t{text}"


def read_calls(path):
    """The calls of a stream file."""
    with open(path, encoding="utf-8") as lines:
        for line in filter(str.strip, lines):
            method, encoded, text = line.rstrip("\n").split("\t", 2)
            if encoded == "-":
                yield Call(method, text_format.Parse(text, request_class(method)()))
            elif text.startswith("bytes"):
                yield Call(method, bytes.fromhex(encoded))
            else:
                yield Call(method, request_class(method).FromString(bytes.fromhex(encoded)))


def generated_calls(generator, count):
    for _ in range(count):
        yield generator.next()
    yield from generator.sweep()


def exchange_call(number, call, reference, server):
    expected, actual = reference.call(number, call), server.call(number, call)
    if call.method in LISTS and expected.code == actual.code == OK:
        reference.keep_token(call.method, expected.response)
        server.keep_token(call.method, actual.response)
    request = None if isinstance(call.request, bytes) else call.request
    forms = [comparable(call.method, request, answer, side.clock) for answer, side in ((expected, reference), (actual, server))]
    return Exchange(number, call, expected, actual, *forms)


def stores_parted(exchange):
    """One side applied a write that the other refused, or they gave out different ids."""
    if not exchange.method.startswith("Put"):
        return False
    return (exchange.expected.code == OK) != (exchange.actual.code == OK) or exchange.expected.code == OK


def run(calls, observe, reference, server, report, self_check):
    """Sends every call to both sides. Returns False when the stores parted before the end."""
    for number, call in enumerate(calls, start=1):
        exchange = exchange_call(number, call, reference, server)
        report.count(call.method, exchange.expected.code)
        observe(call, exchange.expected)
        unserved = exchange.expected.code == UNIMPLEMENTED and not exchange.expected.message
        if exchange.expected_form == exchange.actual_form and (self_check or not unserved):
            continue
        row = None if self_check else known_difference(exchange)
        if row is not None:
            report.known(row)
            continue
        report.difference(exchange)
        if stores_parted(exchange):
            print(f"the stores have parted at request {number}; nothing after it would be comparable")
            return False
    return True


def require_fresh(store):
    if any(store.ok(f"Get{kind.name}Types").ListFields() for kind in KINDS):
        sys.exit("the server's store is not fresh")


def parse_arguments():
    parser = argparse.ArgumentParser(description="Compare a server with the ml-metadata wheel on a random stream of requests.")
    parser.add_argument("--port", type=int, required=True, help="the server, on 127.0.0.1, with a fresh database")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", default="", metavar="METHODS", help="methods to leave out, separated by commas")
    parser.add_argument("--url", help="the server's database, unless it is in SQLite")
    parser.add_argument("--record", metavar="FILE", help="write the stream to a file")
    parser.add_argument("--replay", metavar="FILE", help="send the stream of a file")
    parser.add_argument("--self-check", action="store_true", help="the server is the reference: allow no difference")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    reference, server = Side(Core(fake_database())), Side(Remote(arguments.port), generated_ids(arguments.url))
    require_fresh(server.store)

    skipped = set(filter(None, arguments.skip.split(",")))
    generator = Generator(arguments.seed, [method for method in METHODS if method not in skipped])
    calls = read_calls(arguments.replay) if arguments.replay else generated_calls(generator, arguments.requests)
    report = Report(arguments.seed)
    started = time.monotonic()
    if arguments.record:
        with open(arguments.record, "w", encoding="utf-8") as stream:
            finished = run(recorded(calls, stream), generator.observe, reference, server, report, arguments.self_check)
    else:
        finished = run(calls, generator.observe, reference, server, report, arguments.self_check)
    report.print_tables()
    print(f"{time.monotonic() - started:.0f} seconds")

    unmended = 0 if arguments.self_check else fixed_defects.check_all(server.store)
    return 0 if finished and not report.unexpected and not unmended else 1


def recorded(calls, stream):
    for call in calls:
        stream.write(write_call(call) + "\n")
        stream.flush()
        yield call


if __name__ == "__main__":
    sys.exit(main())
