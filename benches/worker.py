#!/usr/bin/env python3
"""A peer of the benchmark in a process of its own, asked over standard input by `benches/load`.

    worker.py wheel URL          the core of the released ml-metadata wheel, in this process, called with encoded requests
    worker.py wheel-wal URL      the same on SQLite with the journal that Pedigree has
    worker.py limit URL STORE    the database's own tool: writes to the one database, reads from the other

A question is two texts, each behind its length in 4 bytes, little-endian: a method and an encoded request; or a workload and the number
of the operation. An answer is the nanoseconds that it took in 8 bytes, a code and a length in 4 each, and the encoded response or what
went wrong.
"""
import struct
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "tests" / "wheel")]


def wheel(url):
    import oracle

    store = oracle.Core(oracle.database(url))
    core = oracle.core

    def answer(method, request):
        bound, handle = getattr(core, method), store._store
        began = time.perf_counter_ns()
        response, message, code = bound(handle, request)
        return time.perf_counter_ns() - began, code, message if code else response

    return answer


def wheel_wal(url):
    import sqlite3

    # It stays with the file.
    sqlite3.connect(url.removeprefix("sqlite:")).execute("PRAGMA journal_mode = WAL")
    return wheel(url)


def limit(url, store):
    import limits

    tool = limits.of(url, store)

    def answer(workload, number):
        work = tool.prepared(workload, int.from_bytes(number, "little"))
        began = time.perf_counter_ns()
        work()
        return time.perf_counter_ns() - began, 0, b""

    return answer


def serve(answer):
    questions, answers = sys.stdin.buffer, sys.stdout.buffer

    def text():
        length = questions.read(4)
        return questions.read(int.from_bytes(length, "little")) if length else None

    while (method := text()) is not None:
        took, code, response = answer(method.decode(), text())
        answers.write(struct.pack("<QII", took, code, len(response)) + response)
        answers.flush()


if __name__ == "__main__":
    role, *where = sys.argv[1:]
    serve({"wheel": wheel, "wheel-wal": wheel_wal, "limit": limit}[role](*where))
