"""Measures uploads and downloads of large files beside a plain copy over loopback.

    python benches/files.py --pedigree target/release/pedigree

Both peers take turns. `--files` clients each send a file of `--mib` MiB at once, then each read
it back. Pedigree is on SQLite, and its files are in a directory on the same file system. The
plain copy is a process for each connection that writes what it receives to a file, and syncs it;
downwards, it sends the file by `sendfile`. Clients do not keep what they read. Memory is the
largest resident memory above that before the transfers, read every 20 ms.
"""

import argparse
import http.client
import multiprocessing
import os
import pathlib
import socket
import tempfile
import threading
import time

from mlflow import Client, Peer

CHUNK = 1 << 20
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


class PlainCopy:
    """Copies between sockets and files, a process for each connection."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.process = multiprocessing.Process(target=self.serve)
        self.process.start()

    def serve(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            multiprocessing.Process(target=self.copy, args=(connection,)).start()

    def copy(self, connection: socket.socket) -> None:
        """The first byte says the direction, the second one which file."""
        direction, number = connection.recv(2, socket.MSG_WAITALL)
        path = self.folder / f"plain-{number}"
        if direction == ord("d"):
            with open(path, "rb") as file:
                connection.sendfile(file)
        else:
            buffer = memoryview(bytearray(CHUNK))
            with open(path, "wb") as file:
                while read := connection.recv_into(buffer):
                    file.write(buffer[:read])
                file.flush()
                os.fsync(file.fileno())
            connection.sendall(b"k")
        connection.close()

    def upload(self, source: pathlib.Path, number: int) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(bytes([ord("u"), number]))
            with open(source, "rb") as file:
                connection.sendfile(file)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b"k"

    def download(self, number: int, size: int) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(bytes([ord("d"), number]))
            discard(connection.recv_into, size)

    def memory_mib(self) -> float:
        return 0.0


class Artifacts:
    """A server's files of a run."""

    def __init__(self, peer: Peer):
        self.peer, self.port = peer, peer.port
        run = Client(peer.port).create_run("0")
        self.root = f"{ARTIFACTS}/0/{run}/artifacts"

    def upload(self, source: pathlib.Path, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.putrequest("PUT", f"{self.root}/file-{number}")
        connection.putheader("Content-Length", str(source.stat().st_size))
        connection.endheaders()
        with open(source, "rb") as file:
            connection.sock.sendfile(file)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()

    def download(self, number: int, size: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", f"{self.root}/file-{number}")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        discard(answer.readinto, size)

    def memory_mib(self) -> float:
        return self.peer.memory_mib()


def discard(read_into, size: int) -> None:
    """Reads `size` bytes."""
    buffer = memoryview(bytearray(CHUNK))
    while size:
        read = read_into(buffer)
        assert read, f"{size} bytes are missing"
        size -= read


def at_once(work, count: int) -> float:
    """The seconds that as many processes take, each with its number."""
    workers = [multiprocessing.Process(target=work, args=(number,)) for number in range(count)]
    begin = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(worker.exitcode == 0 for worker in workers)
    return time.monotonic() - begin


class LargestMemory:
    """The largest resident memory of a peer in a block, in MiB above that before it."""

    def __init__(self, peer):
        self.peer, self.first, self.growth = peer, peer.memory_mib(), 0.0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self) -> None:
        while not self.is_over.wait(0.02):
            self.growth = max(self.growth, self.peer.memory_mib() - self.first)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--pedigree", required=True, help="the program")
    parser.add_argument("--files", type=int, default=4, help="default: 4")
    parser.add_argument("--mib", type=int, default=1024, help="of a file, default: 1024")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--folder", help="where files are written; default: the system's")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        folder = pathlib.Path(folder)
        source = folder / "source"
        with open(source, "wb") as file:
            for _ in range(arguments.mib):
                file.write(os.urandom(CHUNK))
        command = [os.path.abspath(arguments.pedigree), "--grpc-port", "PORT"]
        command += ["--database-url", f"sqlite://{folder}/pedigree.db"]
        peer = Peer("pedigree", folder, command, "pedigree.db")
        plain = PlainCopy(folder)
        try:
            compare({"plain copy": plain, "pedigree": Artifacts(peer)}, source, arguments)
        finally:
            plain.process.kill()
            peer.process.terminate()
            peer.process.wait()


def compare(peers: dict, source: pathlib.Path, arguments) -> None:
    """Prints the rates of all transfers."""
    size = source.stat().st_size
    print("transfer\tpeer\tMiB/s\tratio\tmemory growth MiB")
    for _ in range(arguments.rounds):
        for transfer in ["upload", "download"]:
            first = None
            for name, peer in peers.items():
                work = {
                    "upload": lambda number: peer.upload(source, number),
                    "download": lambda number: peer.download(number, size),
                }[transfer]
                with LargestMemory(peer) as memory:
                    seconds = at_once(work, arguments.files)
                rate = arguments.files * arguments.mib / seconds
                first = first or rate
                figures = f"{rate:.0f}\t{rate / first:.2f}\t{memory.growth:.0f}"
                print(f"{transfer}\t{name}\t{figures}", flush=True)


if __name__ == "__main__":
    main()
