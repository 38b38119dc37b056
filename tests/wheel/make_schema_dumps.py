#!/usr/bin/env python3
"""Writes tests/data/schema/: one store as the wheel keeps it in each version of the schema.

    v10.sql             a store with rows in every table
    vN.sql              what the wheel's downgrade makes of v10.sql
    vN_upgraded.sql     what the wheel's upgrade to version 10 makes of vN.sql, with old_rows.sql added before version 8

Only old_rows.sql is written by hand. Each file is a list of SQL statements that load into an empty SQLite database. Times are fixed and
rows sorted, so running the script again gives the same files. The tests of src/storage/migrate/ load them; only this script needs the
wheel.
"""
import re
import shutil
import sqlite3
import tempfile
from itertools import groupby
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as pb

from oracle import Core, sqlite_file

OUT = Path(__file__).resolve().parent.parent / "data" / "schema"
LATEST = 10

# Facts that the API of today cannot write: a NULL uri, and ids that were given to rows which are
# gone.
FACTS = """
UPDATE Artifact SET create_time_since_epoch = 1700000000000 + id, last_update_time_since_epoch = 1700000001000 + id;
UPDATE Execution SET create_time_since_epoch = 1700000002000 + id, last_update_time_since_epoch = 1700000003000 + id;
UPDATE Context SET create_time_since_epoch = 1700000004000 + id, last_update_time_since_epoch = 1700000005000 + id;
UPDATE Artifact SET uri = NULL WHERE name = 'no uri';
DELETE FROM Artifact WHERE name = 'deleted';
DELETE FROM Type WHERE name = 'DeletedType';
"""


def ints(value):
    return pb.Value(int_value=value)


def strings(value):
    return pb.Value(string_value=value)


def struct(**fields):
    value = pb.Value()
    value.struct_value.update(fields)
    return value


def proto():
    value = pb.Value()
    value.proto_value.type_url = "type.googleapis.com/google.protobuf.Duration"
    value.proto_value.value = b"\x08\x2a"
    return value


def fill(store, widest=1 << 40):
    """Writes rows into every table."""
    properties = {"n": pb.INT, "d": pb.DOUBLE, "s": pb.STRING, "t": pb.STRUCT, "p": pb.PROTO, "b": pb.BOOLEAN}
    values = {
        "n": ints(widest),
        "d": pb.Value(double_value=0.5),
        "s": strings("größe 漢字"),
        "t": struct(rows=[1, None]),
        "p": proto(),
        "b": pb.Value(bool_value=True),
    }
    artifact_type = pb.ArtifactType(name="Data", description="What a run reads.", external_id="type-1", properties=properties)
    data = store.ok("PutArtifactType", artifact_type=artifact_type).type_id
    artifact_type = pb.ArtifactType(name="Data", version="2", base_type=pb.ArtifactType.DATASET)
    data2 = store.ok("PutArtifactType", artifact_type=artifact_type).type_id
    execution_type = pb.ExecutionType(name="Train", properties=properties)
    execution_type.input_type.dict.properties["in"].simple.CopyFrom(artifact_type)
    execution_type.output_type.any.SetInParent()
    train = store.ok("PutExecutionType", execution_type=execution_type).type_id
    run = store.ok("PutContextType", context_type=pb.ContextType(name="Run", properties=properties, external_id="type-2")).type_id
    pipeline = store.ok("PutContextType", context_type=pb.ContextType(name="Pipeline", version="1")).type_id
    store.ok("PutArtifactType", artifact_type=pb.ArtifactType(name="DeletedType"))

    custom = {"c": ints(-3), "n": strings("a custom property with the name of a typed one"), "p": proto()}
    artifacts = [
        pb.Artifact(type_id=data, name="first", uri="file:///a", external_id="a-1", state=pb.Artifact.LIVE, properties=values),
        pb.Artifact(type_id=data, uri="file:///b", custom_properties=custom),
        pb.Artifact(type_id=data2, name="first"),
        pb.Artifact(type_id=data, name="no uri", state=pb.Artifact.DELETED),
        pb.Artifact(type_id=data, name="deleted"),
    ]
    store.ok("PutArtifacts", artifacts=artifacts)
    executions = [
        pb.Execution(type_id=train, name="monday", external_id="e-1", last_known_state=pb.Execution.COMPLETE, properties=values),
        pb.Execution(type_id=train, custom_properties=custom),
    ]
    store.ok("PutExecutions", executions=executions)
    contexts = [
        pb.Context(type_id=run, name="one", external_id="c-1", properties=values),
        pb.Context(type_id=run, name="two", custom_properties=custom),
        pb.Context(type_id=pipeline, name="one"),
    ]
    store.ok("PutContexts", contexts=contexts)
    path = pb.Event.Path(steps=[pb.Event.Path.Step(key="in"), pb.Event.Path.Step(index=0)])
    events = [
        pb.Event(artifact_id=1, execution_id=1, type=pb.Event.INPUT, milliseconds_since_epoch=100, path=path),
        pb.Event(artifact_id=2, execution_id=1, type=pb.Event.OUTPUT, milliseconds_since_epoch=200, path=path),
        pb.Event(artifact_id=2, execution_id=2, type=pb.Event.DECLARED_INPUT, milliseconds_since_epoch=300),
    ]
    store.ok("PutEvents", events=events)
    store.ok(
        "PutAttributionsAndAssociations",
        attributions=[pb.Attribution(artifact_id=1, context_id=1), pb.Attribution(artifact_id=1, context_id=3)],
        associations=[pb.Association(execution_id=2, context_id=1), pb.Association(execution_id=1, context_id=2)],
    )
    store.ok("PutParentContexts", parent_contexts=[pb.ParentContext(child_id=1, parent_id=3), pb.ParentContext(child_id=2, parent_id=3)])


def run_script(path, script):
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def inserted_into(line):
    """The property table that a line of a dump inserts into; such rows come in the order of a hash map."""
    insert = re.match(r'INSERT INTO "(\w+Property)"', line)
    return insert and insert[1]


def dump(path, name):
    """Writes the database as SQL; the transaction around it is the reader's business."""
    connection = sqlite3.connect(path)
    lines = [line for line in connection.iterdump() if line not in ("BEGIN TRANSACTION;", "COMMIT;")]
    connection.close()
    lines = [line for table, group in groupby(lines, inserted_into) for line in (sorted(group) if table else group)]
    (OUT / f"{name}.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    with tempfile.TemporaryDirectory() as folder:
        latest = Path(folder, "v10.db")
        fill(Core(sqlite_file(latest)))
        run_script(latest, FACTS)
        dump(latest, "v10")
        for version in range(LATEST):
            path = Path(folder, f"v{version}.db")
            shutil.copy(latest, path)
            try:
                Core(sqlite_file(path), pb.MigrationOptions(downgrade_to_schema_version=version))
            except RuntimeError as cancelled:  # The wheel always ends a downgrade so.
                assert "Downgrade migration was performed" in str(cancelled), cancelled
            dump(path, f"v{version}")
            if version < 8:
                run_script(path, (OUT / "old_rows.sql").read_text(encoding="utf-8"))
            Core(sqlite_file(path), pb.MigrationOptions(enable_upgrade_migration=True))
            dump(path, f"v{version}_upgraded")


if __name__ == "__main__":
    main()
