"""Makes the calls that the metadata-writer of Kubeflow Pipelines makes for the pods of a version 1 run, and checks the answers.

It watches pods, and for each it looks for everything by itself: types, the run's context, artifacts by their URIs.
"""

import argparse
import os
import pathlib
import time

from ml_metadata import errors
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

ATTEMPTS_TO_CONNECT = 100
RUN = "training-x7k2p"
OTHER_RUNS = 150  # More than any page holds.

RUN_PROPERTIES = {"run_id": mlmd.STRING, "pipeline_name": mlmd.STRING}
COMPONENT_PROPERTIES = {"run_id": mlmd.STRING, "pod_name": mlmd.STRING, "attempts": mlmd.INT}
ARTIFACT_PROPERTIES = {"run_id": mlmd.STRING, "producer": mlmd.STRING}


def connect(address: str) -> metadata_store.MetadataStore:
    host, port = address.rsplit(":", 1)
    config = mlmd.MetadataStoreClientConfig(host=host, port=int(port))
    if ca := os.environ.get("CA_CERT_PATH"):
        config.ssl_config.custom_ca = pathlib.Path(ca).read_text()
    store = metadata_store.MetadataStore(config)
    for attempt in range(ATTEMPTS_TO_CONNECT):
        try:
            store.get_context_types()
            return store
        except errors.UnavailableError:
            time.sleep(1)
    raise SystemExit(f"there is no server at {address}")


def text(value: str) -> mlmd.Value:
    return mlmd.Value(string_value=value)


class Types:
    """Types by name, put when they are missing."""

    def __init__(self, store: metadata_store.MetadataStore):
        self._store = store

    def artifact(self, name: str) -> int:
        wanted = mlmd.ArtifactType(name=name, properties=ARTIFACT_PROPERTIES)
        return self._find_or_put(self._store.get_artifact_type, self._store.put_artifact_type, wanted)

    def execution(self, name: str) -> int:
        wanted = mlmd.ExecutionType(name=name, properties=COMPONENT_PROPERTIES)
        return self._find_or_put(self._store.get_execution_type, self._store.put_execution_type, wanted)

    def context(self, name: str) -> int:
        wanted = mlmd.ContextType(name=name, properties=RUN_PROPERTIES)
        return self._find_or_put(self._store.get_context_type, self._store.put_context_type, wanted)

    @staticmethod
    def _find_or_put(get, put, wanted) -> int:
        try:
            found = get(wanted.name)
        except errors.NotFoundError:
            type_id = put(wanted)
            assert get(wanted.name).id == put(wanted) == type_id, wanted
            return type_id
        assert found.properties == wanted.properties, found
        return found.id


def find_or_put_run(store: metadata_store.MetadataStore, types: Types) -> mlmd.Context:
    """Lists all contexts and looks for the run among them, as the writer does at each pod."""
    for context in store.get_contexts():
        if context.name == RUN:
            [run_type] = store.get_context_types_by_id([context.type_id])
            assert run_type.name == context.type == "KfpRun", (run_type, context)
            return context
    context = mlmd.Context(type_id=types.context("KfpRun"), name=RUN, properties={"run_id": text(RUN)})
    [context.id] = store.put_contexts([context])
    return context


def find_or_put_artifact(store: metadata_store.MetadataStore, types: Types, type_name: str, uri: str) -> mlmd.Artifact:
    known = store.get_artifacts_by_uri(uri)
    if known:
        return known[-1]
    artifact = mlmd.Artifact(
        type_id=types.artifact(type_name),
        uri=uri,
        properties={"run_id": text(RUN)},
        custom_properties={"name": text(uri.rsplit("/", 1)[-1])},
    )
    [artifact.id] = store.put_artifacts([artifact])
    return artifact


def record_pod(store: metadata_store.MetadataStore, component: str, inputs: dict[str, str], outputs: dict[str, str]) -> int:
    """Records what the pod of a component has read and written, each by its name and URI. Returns the id of the execution."""
    types = Types(store)
    run = find_or_put_run(store, types)
    execution = mlmd.Execution(
        type_id=types.execution(component),
        properties={"run_id": text(RUN), "pod_name": text(f"{RUN}-{component}"), "attempts": mlmd.Value(int_value=1)},
    )
    [execution.id] = store.put_executions([execution])
    association = mlmd.Association(execution_id=execution.id, context_id=run.id)
    store.put_attributions_and_associations([], [association])

    for kind, named in ((mlmd.Event.INPUT, inputs), (mlmd.Event.OUTPUT, outputs)):
        for name, uri in named.items():
            artifact = find_or_put_artifact(store, types, "MinioObject", uri)
            path = mlmd.Event.Path(steps=[mlmd.Event.Path.Step(key=name)])
            event = mlmd.Event(artifact_id=artifact.id, execution_id=execution.id, type=kind, path=path)
            store.put_events([event])
            attribution = mlmd.Attribution(artifact_id=artifact.id, context_id=run.id)
            store.put_attributions_and_associations([attribution], [])
    return execution.id


def check_lineage(store: metadata_store.MetadataStore, made_by: int, used_by: int) -> None:
    """The artifact between two pods is one, which both of them name."""
    events = store.get_events_by_execution_ids([made_by, used_by])
    seen = [(event.execution_id, event.type, event.path.steps[0].key) for event in events]
    expected = [
        (made_by, mlmd.Event.INPUT, "raw"),
        (made_by, mlmd.Event.OUTPUT, "clean"),
        (used_by, mlmd.Event.INPUT, "examples"),
        (used_by, mlmd.Event.OUTPUT, "model"),
    ]
    assert sorted(seen) == sorted(expected), events
    artifacts = {event.path.steps[0].key: event.artifact_id for event in events}
    assert artifacts["clean"] == artifacts["examples"], events

    run = store.get_context_by_type_and_name("KfpRun", RUN)
    assert {node.id for node in store.get_executions_by_context(run.id)} == {made_by, used_by}
    assert {node.id for node in store.get_artifacts_by_context(run.id)} == set(artifacts.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", metavar="HOST:PORT")
    store = connect(parser.parse_args().address)

    before = {context.id for context in store.get_contexts()}
    run_type = Types(store).context("KfpRun")
    others = [mlmd.Context(type_id=run_type, name=f"other-{number}") for number in range(OTHER_RUNS)]
    before.update(store.put_contexts(others))
    # All of them at once, also those that Kubeflow's version 2 has put.
    assert [context.id for context in store.get_contexts()] == sorted(before)

    objects = "minio://mlpipeline/artifacts/"
    cleaned = record_pod(store, "clean", {"raw": objects + "raw"}, {"clean": objects + "clean"})
    trained = record_pod(store, "train", {"examples": objects + "clean"}, {"model": objects + "model"})
    check_lineage(store, cleaned, trained)
    print(f"run {RUN}: executions {cleaned} and {trained} among {len(before) + 1} contexts, all as expected")


if __name__ == "__main__":
    main()
