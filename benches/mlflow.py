"""Measures Pedigree beside MLflow's own server, both on SQLite, with the same requests over HTTP.

    python benches/mlflow.py --pedigree target/release/pedigree --mlflow ENVIRONMENT/bin/python

`--mlflow` is the Python of an environment with the package `mlflow`; without it, Pedigree is
measured alone. The stores have `--runs` runs of one experiment, written by SQL, with two
parameters, two tags and two metrics each. Both peers take turns at each workload, with `--clients`
processes that each send the next request after the answer. The rate is that of all clients; CPU is
that of all processes of a server, for each request; memory is their resident memory in the end.

Pedigree caches runs that have not changed for a minute, as nearly all runs of a store. `--active`
has it read each run again.

The clients share the processors with the servers: what a client takes for a request is in the p50
of both peers, and weighs more beside the faster one. So they send prepared bytes over plain sockets
and read no more of an answer than its length and its status.
"""

import argparse
import functools
import json
import multiprocessing
import os
import pathlib
import socket
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

PREFIX = "/api/2.0/mlflow"
HISTORY_POINTS = 10_000
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Peer:
    """A server with a store of its own."""

    def __init__(self, name: str, folder: pathlib.Path, command: list[str], database: str):
        self.name, self.database = name, folder / database
        self.port = free_port()
        command = [part.replace("PORT", str(self.port)) for part in command]
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
        self.log = open(folder / f"{name}.log", "wb")
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=self.log, stderr=self.log, env=environment
        )
        self.wait()

    def wait(self) -> None:
        """Waits until the server answers."""
        for _ in range(1200):
            try:
                path = f"{PREFIX}/experiments/get?experiment_id=0"
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}").close()
                return
            except OSError:
                pass
            time.sleep(0.1)
        sys.exit(f"{self.name} did not start")

    def processes(self) -> list[int]:
        """The ids of the server's processes."""
        found, new = [], [self.process.pid]
        while new:
            found += new
            new = [child for pid in new for child in children(pid)]
        return found

    def cpu_seconds(self) -> float:
        """The time of the processors that the server has taken."""
        total = 0
        for pid in self.processes():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def memory_mib(self) -> float:
        """The resident memory of the server."""
        pages = 0
        for pid in self.processes():
            pages += int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * PAGE_BYTES / 2**20


def children(pid: int) -> list[int]:
    """The ids of the processes that a process has started."""
    found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]


def free_port() -> int:
    """A port that no one listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Client:
    """A connection to a server, which has to answer each request by the status 200."""

    def __init__(self, port: int):
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray(1 << 20)

    def ask(self, method: str, path: str, body=None):
        """The answer to a request that is sent once."""
        return json.loads(self.send(request(method, path, body)))

    def send(self, message: bytes) -> bytes:
        """The text of the answer to a request."""
        self.connection.sendall(message)
        end, size = -1, 0
        while end < 0:
            part = self.connection.recv_into(memoryview(self.received)[size:])
            assert part, "the server closed the connection"
            size += part
            end = self.received.find(b"\r\n\r\n", 0, size)
        head = bytes(self.received[:end]).lower()
        assert head.split(None, 2)[1] == b"200", (message, bytes(self.received[:size]))
        # Neither peer sends these answers in chunks.
        begin, length = end + 4, head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        end = begin + int(length)
        if end > len(self.received):
            self.received.extend(bytes(end - len(self.received)))
        if size < end:
            # The system wakes the client when all of the rest is there.
            rest = memoryview(self.received)[size:end]
            size += self.connection.recv_into(rest, 0, socket.MSG_WAITALL)
        assert size == end, "the server closed the connection"
        return bytes(memoryview(self.received)[begin:end])

    def create_run(self, experiment: str) -> str:
        """Creates a run, and returns its id."""
        body = {"experiment_id": experiment, "start_time": 1, "run_name": "r"}
        return self.ask("POST", "/runs/create", body)["run"]["info"]["run_id"]


def request(method: str, path: str, body=None) -> bytes:
    """The bytes of a request."""
    text = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {PREFIX}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    return head.encode() + b"\r\n" + text


def points(key: str, first: int, count: int) -> list[dict]:
    """Points of a metric whose steps count up."""
    steps = range(first, first + count)
    return [{"key": key, "value": 1 / (it + 1), "timestamp": it, "step": it} for it in steps]


# Each workload sends one request: of a client, for the experiment with all runs, the client's own
# run, a run with a long history, and the number of the request.


def log_metric(client: Client, _experiment: str, run: str, _long: str, number: int) -> None:
    (point,) = points("m", number, 1)
    client.ask("POST", "/runs/log-metric", {"run_id": run, **point})


def log_batch(client: Client, _experiment: str, run: str, _long: str, number: int) -> None:
    metrics = points("b", number * 100, 100)
    client.ask("POST", "/runs/log-batch", {"run_id": run, "metrics": metrics})


def create_run(client: Client, _experiment: str, _run: str, _long: str, _number: int) -> None:
    client.create_run("0")


def history(client: Client, _experiment: str, _run: str, long: str, _number: int) -> None:
    found = client.ask("GET", f"/metrics/get-history?run_id={long}&metric_key=h")
    assert len(found["metrics"]) == HISTORY_POINTS


@functools.cache
def search_request(experiment: str, filter_text: str, order: tuple[str, ...], token: str) -> bytes:
    """The bytes of a search for 100 runs."""
    body = {
        "experiment_ids": [experiment], "filter": filter_text, "order_by": order,
        "max_results": 100,
    }
    return request("POST", "/runs/search", {**body, "page_token": token} if token else body)


def search(filter_text: str, order: tuple[str, ...] = (), is_later_page: bool = False):
    """A workload that searches for 100 runs."""

    def one(client: Client, experiment: str, _run: str, _long: str, _number: int) -> None:
        text = client.send(search_request(experiment, filter_text, order, ""))
        assert b"run_id" in text
        if is_later_page:
            token = text.rpartition(b'"next_page_token"')[2].split(b'"')[1].decode()
            text = client.send(search_request(experiment, filter_text, order, token))
            assert b"run_id" in text

    return one


WORKLOADS = {
    "log-metric": log_metric,
    "log-batch of 100": log_batch,
    "create run": create_run,
    "history of 10,000": history,
    "search, newest": search(""),
    "search, two pages": search("", is_later_page=True),
    "search by metric": search("metrics.acc > 0.99"),
    "search by parameter": search("params.depth = '7'"),
    "search in order of metric": search("", ("metrics.loss ASC",)),
    "search by both, in order": search(
        "metrics.acc > 0.9 AND params.depth = '7'", ("metrics.loss ASC",)
    ),
}


def work(port: int, name: str, experiment: str, long: str, seconds: float, pipe) -> None:
    """A client: sends requests for a time, and tells how long each took."""
    client = Client(port)
    run = client.create_run("0")
    pipe.send("ready")
    pipe.recv()
    taken, end = [], time.monotonic() + seconds
    while (begin := time.monotonic()) < end:
        WORKLOADS[name](client, experiment, run, long, len(taken))
        taken.append(time.monotonic() - begin)
    pipe.send(taken)


def measure(peer: Peer, name: str, arguments, experiment: str, long: str) -> tuple:
    """The rate, the median in milliseconds, and the CPU for each request in milliseconds."""
    workers = []
    for _ in range(arguments.clients):
        here, there = multiprocessing.Pipe()
        given = (peer.port, name, experiment, long, arguments.seconds, there)
        workers.append((multiprocessing.Process(target=work, args=given), here))
    for process, _ in workers:
        process.start()
    for _, pipe in workers:
        pipe.recv()
    begin, cpu = time.monotonic(), peer.cpu_seconds()
    for _, pipe in workers:
        pipe.send("go")
    taken = [each for _, pipe in workers for each in pipe.recv()]
    cpu, passed = peer.cpu_seconds() - cpu, time.monotonic() - begin
    for process, _ in workers:
        process.join()
    count = len(taken)
    return count / passed, statistics.median(taken) * 1000, cpu / count * 1000


def examples(count: int):
    """Runs: number, id, time, parameters and metrics."""
    for number in range(count):
        params = {"depth": str(number % 100), "lr": repr(0.001 * (number % 1000))}
        # Spread evenly, in another order than the runs.
        acc, loss = (number * 7919 % 100_003) / 100_003, (number * 104_729 % 99_991) / 99_991
        yield number, uuid.UUID(int=number).hex, number, params, {"acc": acc, "loss": loss}


def rank(value: float) -> int:
    """The integer that Pedigree stores for a value of a metric that is not negative."""
    return struct.unpack("<q", struct.pack("<d", value))[0]


def fill_mlflow(path: pathlib.Path, experiment: str, count: int) -> None:
    """Writes runs into a store of MLflow."""
    store = sqlite3.connect(path, timeout=60)
    columns = "run_uuid name status start_time lifecycle_stage artifact_uri experiment_id user_id"
    root = f"mlflow-artifacts:/{experiment}"
    put(store, "runs", columns, (
        (run, f"run-{number}", "FINISHED", at, "active", f"{root}/{run}", experiment, "ann")
        for number, run, at, _, _ in examples(count)
    ))
    put(store, "params", "run_uuid key value", (
        (run, *param) for _, run, _, params, _ in examples(count) for param in params.items()
    ))
    put(store, "tags", "run_uuid key value", (
        (run, *tag) for number, run, _, _, _ in examples(count) for tag in tags(number)
    ))
    for table in ["metrics", "latest_metrics"]:
        put(store, table, "run_uuid timestamp step is_nan key value", (
            (run, at, 0, 0, *metric)
            for _, run, at, _, metrics in examples(count) for metric in metrics.items()
        ))
    store.close()


def fill_pedigree(path: pathlib.Path, experiment: str, count: int, updated: int | None = None):
    """Writes runs into a store of Pedigree. They were updated at a time, or when they started."""
    store = sqlite3.connect(path, timeout=60)

    def one(text: str, *values):
        return store.execute(text, values).fetchone()[0]

    run_type = one("SELECT id FROM Type WHERE name = 'mlflow.Run'")
    text = "SELECT context_id FROM PedigreeExperiment WHERE experiment_id = ?"
    context = one(text, int(experiment))
    first = one("SELECT COALESCE(MAX(id), 0) + 1 FROM Execution")
    series = one("SELECT COALESCE(MAX(id), 0) + 1 FROM PedigreeMetricSeries")
    columns = "id type_id last_known_state name external_id create_time_since_epoch"
    put(store, "Execution", columns + " last_update_time_since_epoch", (
        (first + number, run_type, 3, run, f"mlflow:run:{run}", at, updated or at)
        for number, run, at, _, _ in examples(count)
    ))
    put(store, "Association", "context_id execution_id", (
        (context, first + number) for number in range(count)
    ))
    put(store, "PedigreeRun", "execution_id run_id experiment_id is_deleted start_time", (
        (first + number, run, int(experiment), 0, at) for number, run, at, _, _ in examples(count)
    ))
    columns = "execution_id name is_custom_property int_value double_value string_value"
    put(store, "ExecutionProperty", columns, (
        (first + number, *each)
        for number, run, at, params, metrics in examples(count)
        for each in properties(experiment, number, run, at, params, metrics)
    ))
    columns = "id execution_id metric_key step time_since_epoch value_rank experiment_id start_time"
    put(store, "PedigreeMetricSeries", columns, (
        (
            series + 2 * number + place, first + number, key, 0, at, rank(value),
            int(experiment), at,
        )
        for number, _, at, _, metrics in examples(count)
        for place, (key, value) in enumerate(metrics.items())
    ))
    put(store, "PedigreeMetricPoint", "series_id time_since_epoch step value_rank", (
        (series + 2 * number + place, at, 0, rank(value))
        for number, _, at, _, metrics in examples(count)
        for place, value in enumerate(metrics.values())
    ))
    store.execute("ANALYZE")
    store.commit()
    store.close()


def tags(number: int) -> list[tuple[str, str]]:
    """The tags of a run."""
    return [("mlflow.runName", f"run-{number}"), ("mlflow.user", "ann")]


def properties(experiment: str, number: int, run: str, at: int, params: dict, metrics: dict):
    """The properties of a run in the order in which the server stores them, when a run is created
    and then logs. Each has a name, whether it is a custom one, and a value of one of three types.
    """
    yield "artifact_uri", 0, None, None, f"mlflow-artifacts:/{experiment}/{run}"
    yield "experiment_id", 0, int(experiment), None, None
    yield "lifecycle_stage", 0, None, None, "active"
    yield "run_name", 0, None, None, f"run-{number}"
    yield "owner", 1, None, None, "ann"
    yield "started_at", 1, at, None, None
    for prefix, texts in [("tag", dict(tags(number))), ("param", params)]:
        for key, text in texts.items():
            yield f"{prefix}.{key}", 1, None, None, text
    for key, value in metrics.items():
        yield f"metric.{key}", 1, None, value, None


def put(store: sqlite3.Connection, table: str, columns: str, rows) -> None:
    """Writes many rows in one transaction."""
    columns = columns.split()
    values = ", ".join("?" * len(columns))
    with store:
        store.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})", rows)


def prepared(peer: Peer, fill, count: int) -> tuple[str, str]:
    """Fills a store, and returns its experiment, and a run with a long history."""
    client = Client(peer.port)
    experiment = client.ask("POST", "/experiments/create", {"name": "many"})["experiment_id"]
    fill(peer.database, experiment, count)
    client = Client(peer.port)  # An idle connection may be closed.
    long = client.create_run("0")
    for first in range(0, HISTORY_POINTS, 1000):
        body = {"run_id": long, "metrics": points("h", first, 1000)}
        client.ask("POST", "/runs/log-batch", body)
    return experiment, long


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--pedigree", required=True, help="the program")
    parser.add_argument("--mlflow", help="the Python of an environment with MLflow")
    parser.add_argument("--runs", type=int, default=10_000, help="default: 10000")
    parser.add_argument("--clients", type=int, default=8, help="default: 8")
    parser.add_argument("--seconds", type=float, default=3, help="of a workload, default: 3")
    parser.add_argument("--active", action="store_true", help="runs that Pedigree does not cache")
    parser.add_argument("--only", default="", help="workloads whose names have this text")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        program = os.path.abspath(arguments.pedigree)
        url = f"sqlite://{folder}/pedigree.db"
        command = [program, "--grpc-port", "PORT", "--database-url", url]
        # Runs that are updated from now on are not cached.
        updated = int((time.time() + 3600) * 1000) if arguments.active else None
        fill = functools.partial(fill_pedigree, updated=updated)
        peers = [(Peer("pedigree", folder, command, "pedigree.db"), fill)]
        if arguments.mlflow:
            python = os.path.abspath(arguments.mlflow)
            command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "PORT"]
            command += ["--backend-store-uri", "sqlite:///mlflow.db"]
            peers.append((Peer("mlflow", folder, command, "mlflow.db"), fill_mlflow))
        try:
            compare(peers, arguments)
        finally:
            for peer, _ in peers:
                peer.process.terminate()
                peer.process.wait()


def compare(peers: list, arguments) -> None:
    """Prints the figures of all workloads."""
    stores = [prepared(peer, fill, arguments.runs) for peer, fill in peers]
    print("workload\tpeer\trequests/s\tp50 ms\tCPU ms/request\trate ratio\tp50 ratio\tCPU ratio")
    for name in WORKLOADS:
        if arguments.only not in name:
            continue
        first = None
        for (peer, _), (experiment, long) in zip(peers, stores):
            rate, median, cpu = measure(peer, name, arguments, experiment, long)
            first = first or (rate, median, cpu)
            ratios = f"{first[0] / rate:.1f}\t{median / first[1]:.1f}\t{cpu / first[2]:.1f}"
            print(f"{name}\t{peer.name}\t{rate:.1f}\t{median:.2f}\t{cpu:.2f}\t{ratios}", flush=True)
    for peer, _ in peers:
        print(f"memory of {peer.name}: {peer.memory_mib():.0f} MiB")


if __name__ == "__main__":
    main()
