#!/usr/bin/env python3
"""Has the ml-metadata wheel fill a database with runs of a pipeline: each has an execution with an input and an output, and ten share a
context. Prints the number of nodes.

    pipelines.py --url URL --runs N

A URL is sqlite:FILE, postgres://... or mysql://....
"""
import argparse

from ml_metadata.proto import metadata_store_pb2 as pb

from oracle import Core, database

RUNS_AT_ONCE = 500
RUNS_PER_CONTEXT = 10


def node(cls, type_id, name, **fields):
    """A node with a property of its own."""
    made = cls(type_id=type_id, name=name, **fields)
    made.custom_properties["name"].string_value = name
    return made


def fill(store, runs):
    data = store.ok("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
    step = store.ok("PutExecutionType", execution_type=pb.ExecutionType(name="Step")).type_id
    run = store.ok("PutContextType", context_type=pb.ContextType(name="Run")).type_id
    nodes = 0
    for first in range(0, runs, RUNS_AT_ONCE):
        numbers = range(first, min(first + RUNS_AT_ONCE, runs))
        names = [f"{number} {role}" for number in numbers for role in ("in", "out")]
        artifacts = store.ok("PutArtifacts", artifacts=[node(pb.Artifact, data, name, uri=f"s3://lake/{name}") for name in names]).artifact_ids
        executions = store.ok("PutExecutions", executions=[node(pb.Execution, step, str(number)) for number in numbers]).execution_ids
        contexts = [node(pb.Context, run, str(number)) for number in numbers if number % RUNS_PER_CONTEXT == 0]
        contexts = store.ok("PutContexts", contexts=contexts).context_ids
        store.ok("PutEvents", events=list(events(artifacts, executions)))
        of_run = [contexts[place // RUNS_PER_CONTEXT] for place in range(len(executions))]
        store.ok(
            "PutAttributionsAndAssociations",
            attributions=[pb.Attribution(artifact_id=artifact, context_id=of_run[place // 2]) for place, artifact in enumerate(artifacts)],
            associations=[pb.Association(execution_id=execution, context_id=of_run[place]) for place, execution in enumerate(executions)],
        )
        nodes += len(artifacts) + len(executions) + len(contexts)
    return nodes


def events(artifacts, executions):
    for place, artifact in enumerate(artifacts):
        event = pb.Event(artifact_id=artifact, execution_id=executions[place // 2])
        event.type = pb.Event.OUTPUT if place % 2 else pb.Event.INPUT
        event.path.steps.add().key = "data"
        yield event


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--runs", required=True, type=int)
    given = parser.parse_args()
    print(fill(Core(database(given.url)), given.runs))


if __name__ == "__main__":
    main()
