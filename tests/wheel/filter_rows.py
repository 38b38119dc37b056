#!/usr/bin/env python3
"""Checks the filter query rows of ../data/filter_rows.tsv against a server on a fresh database.

A row of table `ok` names the ids that a query must return; a row of table `bad` names how the text of its INVALID_ARGUMENT must start.

    filter_rows.py --port 8080
"""
import argparse
import csv
import pathlib
import sys

from ml_metadata.proto import metadata_store_pb2 as pb

from oracle import INVALID_ARGUMENT, Remote, request_class

ROWS = pathlib.Path(__file__).parent.parent / "data" / "filter_rows.tsv"
PREFIX = "Invalid `filter_query`: "
LISTS = {"a": ("GetArtifacts", "artifacts"), "e": ("GetExecutions", "executions"), "c": ("GetContexts", "contexts")}


def integer(number):
    return pb.Value(int_value=number)


def build(store):
    """Puts the nodes and edges that the rows speak of."""
    declared = {"i": pb.INT, "d": pb.DOUBLE, "s": pb.STRING, "b": pb.BOOLEAN, "my prop": pb.STRING, "a.b": pb.INT, "a-b": pb.INT}
    types = [
        store.ok("PutArtifactType", artifact_type=pb.ArtifactType(name="A", properties=declared)).type_id,
        store.ok("PutArtifactType", artifact_type=pb.ArtifactType(name="A2", version="v1")).type_id,
        store.ok("PutExecutionType", execution_type=pb.ExecutionType(name="E", properties=declared)).type_id,
        store.ok("PutContextType", context_type=pb.ContextType(name="C", properties=declared)).type_id,
        store.ok("PutContextType", context_type=pb.ContextType(name="C2")).type_id,
    ]
    if types != [10, 11, 12, 13, 14]:
        sys.exit(f"the store is not fresh: its first types have ids {types}")
    a, a2, e, c, c2 = types

    first = pb.Artifact(type_id=a, name="foo1", uri="gs://b/x1", external_id="x1", state=pb.Artifact.PENDING)
    first.properties["i"].int_value = 1
    first.properties["d"].double_value = 0.5
    first.properties["s"].string_value = "hello"
    first.properties["b"].bool_value = True
    first.properties["my prop"].string_value = "mp"
    first.properties["a.b"].int_value = 7
    first.properties["a-b"].int_value = 8
    first.custom_properties["c"].int_value = 10
    first.custom_properties["k:l m"].string_value = "z"
    second = pb.Artifact(type_id=a, name="foo2", uri="gs://b/x2", state=pb.Artifact.LIVE)
    second.properties["i"].int_value = 2
    second.properties["d"].double_value = 1.5
    second.properties["s"].string_value = "World"
    second.properties["b"].bool_value = False
    second.custom_properties["c"].string_value = "ten"
    third = pb.Artifact(type_id=a, name="Bar", state=pb.Artifact.ABANDONED, properties={"i": integer(3)})
    fourth = pb.Artifact(type_id=a2, uri="it's \"q\" 50%_x", state=pb.Artifact.UNKNOWN)
    fifth = pb.Artifact(type_id=a2, name="foozbar", external_id="")
    store.ok("PutArtifacts", artifacts=[first, second, third, fourth, fifth])

    store.ok(
        "PutExecutions",
        executions=[
            pb.Execution(type_id=e, name="e1", last_known_state=pb.Execution.RUNNING, properties={"i": integer(1)}),
            pb.Execution(type_id=e, name="e2", last_known_state=pb.Execution.COMPLETE),
            pb.Execution(type_id=e, name="e3"),
        ],
    )
    store.ok(
        "PutContexts",
        contexts=[
            pb.Context(type_id=c, name="run1", properties={"i": integer(5)}),
            pb.Context(type_id=c2, name="pipe"),
            pb.Context(type_id=c, name="run2", external_id="cx"),
        ],
    )
    events = [
        (1, 1, pb.Event.INPUT, 100),
        (2, 1, pb.Event.OUTPUT, 200),
        (2, 2, pb.Event.DECLARED_INPUT, 300),
        (3, 2, pb.Event.PENDING_OUTPUT, 400),
        (4, 2, pb.Event.INTERNAL_INPUT, 500),
    ]
    store.ok(
        "PutEvents",
        events=[
            pb.Event(artifact_id=artifact, execution_id=execution, type=kind, milliseconds_since_epoch=time)
            for artifact, execution, kind, time in events
        ],
    )
    store.ok(
        "PutAttributionsAndAssociations",
        attributions=[pb.Attribution(artifact_id=artifact, context_id=context) for artifact, context in ((1, 1), (1, 2), (2, 1), (3, 3))],
        associations=[pb.Association(execution_id=execution, context_id=context) for execution, context in ((1, 1), (2, 2), (2, 1))],
    )
    store.ok("PutParentContexts", parent_contexts=[pb.ParentContext(parent_id=2, child_id=child) for child in (1, 3)])


def check(store, row):
    """Returns what is wrong with the answer to a row's query, or None."""
    method, field = LISTS[row["kind"]]
    options = pb.ListOperationOptions(filter_query=row["query"], max_result_size=100)
    answer = store.call(method, request_class(method)(options=options))
    if row["table"] == "bad":
        right = answer.code == INVALID_ARGUMENT and answer.message.startswith(PREFIX + row["expected"])
        return None if right else str(answer)
    if answer.code:
        return str(answer)
    ids = " ".join(str(node.id) for node in getattr(answer.response, field))
    return None if ids == row["expected"] else f"ids {ids}"


def main():
    parser = argparse.ArgumentParser(description="Check the filter query rows against a server on a fresh database.")
    parser.add_argument("--port", type=int, required=True)
    store = Remote(parser.parse_args().port)
    build(store)
    with open(ROWS, encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    differing = 0
    for row in rows:
        wrong = check(store, row)
        if wrong is not None:
            differing += 1
            print(f"{row['table']} {row['row']}: {row['query']}\n    wanted {row['expected']}\n    got {wrong[:200]}")
    print(f"{len(rows)} rows, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
