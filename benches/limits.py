"""The limits of a database: its own tool loads the rows of a write, or reads the rows of an answer by a statement written by hand.

A tool prepares a workload of `benches/load` by its name; what it returns is run and timed. Loads end durable, as every commit does.
"""
import os
import sqlite3
import subprocess
import tempfile
from urllib.parse import unquote, urlsplit

ARTIFACTS = "type_id", "uri", "state", "name", "create_time_since_epoch", "last_update_time_since_epoch"
PROPERTIES = "artifact_id", "name", "is_custom_property", "int_value", "double_value", "string_value"


def of(url, store):
    """The tool of the database at a URL; `store` is the URL of one that the workloads have filled."""
    return {"sqlite": Sqlite, "postgres": Psql, "mysql": Mariadb}[url.split(":")[0]](url, store)


def sizes(workload):
    """How many artifacts, and properties of each, `put_artifacts 100x5` means."""
    return [int(number) for number in workload.split()[1].split("x")]


def artifacts(first, count, number):
    for id in range(first, first + count):
        yield id, 10, f"s3://bucket/new/{id}", 2, f"new {number} {id}", 1700000000000, 1700000000000


def properties(first, count, width):
    for id in range(first, first + count):
        for n in range(width):
            value = [None, None, None]
            value[{0: 0, 1: 2, 2: 1}[n % 3]] = {0: id + n, 1: f"value {id}", 2: id / 7}[n % 3]
            yield id, f"p{n}", 0, *value


class Sqlite:
    """The `sqlite3` module, with the settings that Pedigree has."""

    def __init__(self, url, store):
        self.writer = self.connect(url)
        self.reader = self.connect(store)

    @staticmethod
    def connect(url):
        connection = sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def prepared(self, workload, number):
        if workload.startswith("put_artifacts"):
            count, width = sizes(workload)
            (first,) = self.writer.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM Artifact").fetchone()
            rows = list(artifacts(first, count, number)), list(properties(first, count, width))
            return lambda: self.load(*rows)
        first = 1 + number * 7919 % 11_900
        reads = {
            "get_artifact_type": [
                ("SELECT id, name, version, description, external_id FROM Type WHERE type_kind = 1 AND name = ? AND version IS NULL", ("Five",)),
                ("SELECT name, data_type FROM TypeProperty WHERE type_id = ?", (10,)),
            ],
            "get_artifacts_by_id 1": self.nodes("BETWEEN ? AND ?", (first, first)),
            "get_artifacts_by_id 100": self.nodes("BETWEEN ? AND ?", (first, first + 99)),
            "list 100": self.nodes("BETWEEN ? AND ?", (1, 101)),
        }[workload]
        return lambda: [self.reader.execute(*read).fetchall() for read in reads]

    @staticmethod
    def nodes(which, values):
        return [
            (f"SELECT n.*, t.name FROM Artifact n LEFT JOIN Type t ON t.id = n.type_id WHERE n.id {which}", values),
            (f"SELECT * FROM ArtifactProperty WHERE artifact_id {which}", values),
        ]

    def load(self, nodes, values):
        self.writer.execute("BEGIN IMMEDIATE")
        self.writer.executemany(f"INSERT INTO Artifact (id, {', '.join(ARTIFACTS)}) VALUES (?, ?, ?, ?, ?, ?, ?)", nodes)
        self.writer.executemany(f"INSERT INTO ArtifactProperty ({', '.join(PROPERTIES)}) VALUES (?, ?, ?, ?, ?, ?)", values)
        self.writer.execute("COMMIT")


class Program:
    """A command-line client, which loads files. Only writes: how long it takes to start would be most of a read."""

    null = "\\N"

    def __init__(self, url, _store):
        self.url, self.next = urlsplit(url), 1
        self.folder = tempfile.TemporaryDirectory()

    def prepared(self, workload, number):
        if not workload.startswith("put_artifacts"):
            raise ValueError(f"{type(self).__name__} does not do {workload}")
        count, width = sizes(workload)
        files = [
            self.file("nodes", artifacts(self.next, count, number)),
            self.file("values", properties(self.next, count, width)),
        ]
        self.next += count
        return lambda: self.load(*files)

    def file(self, name, rows):
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as out:
            for row in rows:
                out.write("\t".join(self.null if cell is None else str(cell) for cell in row) + "\n")
        return path

    def run(self, command, text, **environment):
        subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.DEVNULL, env=os.environ | environment)


class Psql(Program):
    """`psql` and its `\\copy`."""

    def load(self, nodes, values):
        script = f"""BEGIN;
\\copy Artifact (id, {', '.join(ARTIFACTS)}) FROM '{nodes}'
\\copy ArtifactProperty ({', '.join(PROPERTIES)}) FROM '{values}'
COMMIT;
"""
        self.run(["psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", self.url.geturl()], script)


class Mariadb(Program):
    """`mariadb` and its `LOAD DATA`."""

    def load(self, nodes, values):
        script = f"""BEGIN;
LOAD DATA LOCAL INFILE '{nodes}' INTO TABLE Artifact (id, {', '.join(ARTIFACTS)});
LOAD DATA LOCAL INFILE '{values}' INTO TABLE ArtifactProperty ({', '.join(PROPERTIES)});
COMMIT;
"""
        url = self.url
        where = ["-h", url.hostname, "-P", str(url.port), "-u", unquote(url.username), url.path[1:]]
        self.run(["mariadb", "--no-defaults", "--local-infile=1", *where], script, MYSQL_PWD=unquote(url.password))
