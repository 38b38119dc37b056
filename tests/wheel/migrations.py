#!/usr/bin/env python3
"""Checks on MySQL and PostgreSQL that the wheel can use what the files in migrations/ make.

    migrations.py       all checks on the servers of the two variables that tests/databases sets

A store that the wheel writes into our schema, or that went through our steps or our widening, must read as one in the wheel's own
schema. Needs the programs of make_server_dumps.py.
"""
import json
import sys
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as pb

import rich_store
from interchange import downgrade, dump, upgrade, without_clock
from make_server_dumps import LATEST, MySql, Postgres
from oracle import Core

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def run_file(database, pattern):
    (path,) = (MIGRATIONS / database.folder.name).glob(pattern)
    script = path.read_text(encoding="utf-8")
    database.run(f"BEGIN; {script} COMMIT" if isinstance(database, Postgres) else script)


def step(database, version, direction):
    run_file(database, f"{version:04}_*.{direction}.sql")


def write(database, old):
    rich_store.build(Core(database.config()), portable=True, old=old)


def read(database):
    return json.dumps(dump(Core(database.config()), without_clock), sort_keys=True)


def write_more(database, wide):
    """What the wheel's own schema would refuse is stored in a wide one, and read again."""
    store = Core(database.config())
    kind = store.ok("PutArtifactType", artifact_type=pb.ArtifactType(name="Wide", properties={"n": pb.INT})).type_id
    value = pb.Value(int_value=1 << 62 if wide else 7)
    text = "".join(chr(33 + (number * number) % 57) for number in range(20000))  # no quote and no backslash
    artifact = pb.Artifact(type_id=kind, uri=text if wide else "u", properties={"n": value})
    artifact.custom_properties["s"].string_value = artifact.uri
    (given,) = store.ok("PutArtifacts", artifacts=[artifact]).artifact_ids
    (found,) = store.ok("GetArtifactsByID", artifact_ids=[given]).artifacts
    assert found.properties["n"] == value and found.uri == artifact.uri
    assert found.custom_properties["s"].string_value == artifact.uri


def check(name, database, expected, wide):
    assert read(database) == expected, f"{database.folder.name}: {name}: the wheel reads something else"
    write_more(database, wide)
    print(f"{database.folder.name}: {name}")


def check_server(database, oldest):
    database.create()
    write(database, old=False)
    expected = read(database)
    run_file(database, "widen.sql")
    check("the wheel uses a database that we widened", database, expected, wide=True)

    database.create()
    run_file(database, "schema.sql")
    write(database, old=False)
    check("the wheel uses a database that we created", database, expected, wide=True)

    for version in range(oldest, LATEST):
        database.create()
        write(database, old=True)
        downgrade(database.config(), version)
        upgrade(database.config())
        expected = read(database)

        database.create()
        run_file(database, "schema.sql")
        write(database, old=True)
        for undone in range(LATEST, version, -1):
            step(database, undone, "down")
        if isinstance(database, MySql):  # The wheel's step on PostgreSQL makes the ids narrow again.
            upgrade(database.config())
            check(f"the wheel upgrades what we took to version {version}", database, expected, wide=True)

        database.create()
        write(database, old=True)
        downgrade(database.config(), version)
        for done in range(version + 1, LATEST + 1):
            step(database, done, "up")
        check(f"the wheel uses what we upgraded from its version {version}", database, expected, wide=False)
    database.drop()


def main():
    check_server(MySql(), 0)
    check_server(Postgres(), LATEST - 1)


if __name__ == "__main__":
    sys.exit(main())
