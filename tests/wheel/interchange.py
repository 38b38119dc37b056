#!/usr/bin/env python3
"""Writes, dumps, downgrades and upgrades a store with the ml-metadata wheel or through a server, so that a test can compare the dumps.

    interchange.py write --url URL                  the wheel writes a rich store into a database
    interchange.py write --port P                   the same store through a server
    interchange.py dump --url URL                   everything the wheel reads from the database, as JSON with sorted keys
    interchange.py dump --port P                    everything a server answers
    interchange.py dump --no-times ...              without what a clock gave, to compare stores that were written apart
    interchange.py downgrade --url URL --to V       the wheel takes the database back to schema version V
    interchange.py upgrade --url URL                the wheel brings it to the current one

A URL is sqlite:FILE, postgres://... or mysql://.... `write --portable` leaves out what the wheel cannot store in MySQL and PostgreSQL, and
`write --old` what schema versions before 10 cannot hold. Downgrade only what was written with --old: a downgrade below 10 empties the rows
of bool and proto values, and the wheel fails to read them after an upgrade.
"""
import argparse
import json
import sys

from ml_metadata.proto import metadata_store_pb2 as pb

import rich_store
from compare import EARLIEST_CLOCK, plain
from model import ARTIFACT, CONTEXT, EXECUTION, KINDS, SIMPLE_TYPES
from oracle import Core, Remote, database

DOWNGRADED = "Downgrade migration was performed."
IDS_AT_ONCE = 200


def exact_time(milliseconds):
    return milliseconds


def without_clock(milliseconds):
    return milliseconds if milliseconds < EARLIEST_CLOCK else "from a clock"


def dump(store, label):
    """The whole store as plain data, in an order that does not depend on the database."""
    nodes = {kind: getattr(store.ok(f"Get{kind.plural}"), kind.fields) for kind in KINDS}
    everything = {f"{kind.field}_types": _types(store, kind, label) for kind in KINDS}
    for kind in KINDS:
        everything[kind.fields] = [plain(node, label) for node in sorted(nodes[kind], key=lambda node: node.id)]
    everything["events"] = _events(store, [node.id for node in nodes[ARTIFACT]], label)
    everything["memberships"] = {str(node.id): _memberships(store, node.id) for node in nodes[CONTEXT]}
    return everything


def _types(store, kind, label):
    """All types of a kind with all their fields, which only the read by id gives."""
    ids = [given.id for given in getattr(store.ok(f"Get{kind.name}Types"), f"{kind.field}_types")]
    for name in SIMPLE_TYPES[kind]:
        ids.append(getattr(store.ok(f"Get{kind.name}Type", type_name=name), f"{kind.field}_type").id)
    types = store.ok(f"Get{kind.name}TypesByID", type_ids=sorted(ids))
    return [plain(given, label) for given in getattr(types, f"{kind.field}_types")]


def _events(store, artifact_ids, label):
    events = []
    for start in range(0, len(artifact_ids), IDS_AT_ONCE):
        events += store.ok("GetEventsByArtifactIDs", artifact_ids=artifact_ids[start : start + IDS_AT_ONCE]).events
    events.sort(key=lambda event: (event.artifact_id, event.execution_id, event.type))
    return [plain(event, label) for event in events]


def _memberships(store, context_id):
    members = {
        kind.fields: getattr(store.ok(f"Get{kind.plural}ByContext", context_id=context_id), kind.fields) for kind in (ARTIFACT, EXECUTION)
    }
    members["parents"] = store.ok("GetParentContextsByContext", context_id=context_id).contexts
    members["children"] = store.ok("GetChildrenContextsByContext", context_id=context_id).contexts
    return {name: sorted(node.id for node in found) for name, found in members.items()}


def downgrade(connection, version):
    """Lets the wheel downgrade; it reports success as an error."""
    try:
        Core(connection, pb.MigrationOptions(downgrade_to_schema_version=version))
    except Exception as error:  # the binding raises a bare RuntimeError or a subclass of it, depending on its build
        if DOWNGRADED in str(error):
            return
        raise
    raise RuntimeError("the wheel did not downgrade")


def upgrade(connection):
    Core(connection, pb.MigrationOptions(enable_upgrade_migration=True))


def store_of(arguments):
    return Remote(arguments.port) if arguments.port is not None else Core(database(arguments.url))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("write", "dump", "downgrade", "upgrade"):
        command = commands.add_parser(name)
        where = command.add_mutually_exclusive_group(required=True)
        where.add_argument("--url", help="a database, opened by the wheel")
        if name in ("write", "dump"):
            where.add_argument("--port", type=int, help="a server on 127.0.0.1")
        if name == "write":
            command.add_argument("--portable", action="store_true", help="only values that the wheel can store everywhere")
            command.add_argument("--old", action="store_true", help="only values that every schema version has")
        if name == "dump":
            command.add_argument("--no-times", action="store_true", help="leave out times that a clock gave")
        if name == "downgrade":
            command.add_argument("--to", type=int, required=True, metavar="VERSION")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.command == "write":
        rich_store.build(store_of(arguments), arguments.portable, arguments.old)
    elif arguments.command == "dump":
        label = without_clock if arguments.no_times else exact_time
        json.dump(dump(store_of(arguments), label), sys.stdout, indent=1, sort_keys=True, ensure_ascii=False)
        print()
    elif arguments.command == "downgrade":
        downgrade(database(arguments.url), arguments.to)
    else:
        upgrade(database(arguments.url))


if __name__ == "__main__":
    main()
