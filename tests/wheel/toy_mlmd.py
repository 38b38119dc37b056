"""Runs the toy, and records its steps with the released client of ML Metadata."""
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

import toy_steps


def main():
    given = toy_steps.arguments()
    config = pb.MetadataStoreClientConfig(host="127.0.0.1", port=int(given.port))
    store = metadata_store.MetadataStore(config)
    files = store.put_artifact_type(pb.ArtifactType(name="File"))
    known = {}
    for step in toy_steps.run(given):
        execution = pb.Execution(
            type_id=store.put_execution_type(pb.ExecutionType(name=step.name)),
            last_known_state=pb.Execution.COMPLETE,
        )
        facts = {
            "command": step.command,
            "code.repository": step.repository,
            "code.commit": step.commit,
            "environment.image": step.image,
        }
        facts |= {f"param.{name}": value for name, value in step.parameters.items()}
        facts |= {f"input.{file.role}": file.path for file in step.inputs}
        facts |= {f"output.{file.role}": file.path for file in step.outputs}
        for name, value in facts.items():
            execution.custom_properties[name].string_value = value
        pairs = [(artifact(files, known, file), event(pb.Event.INPUT, file)) for file in step.inputs]
        pairs += [(artifact(files, known, file), event(pb.Event.OUTPUT, file)) for file in step.outputs]
        _, ids, _ = store.put_execution(execution, pairs, [])
        known |= dict(zip((file.place for file in step.inputs + step.outputs), ids))


def artifact(type_id, known, file):
    """The artifact of a file, which an earlier step may have stored."""
    made = pb.Artifact(type_id=type_id, uri=f"file://{file.place}", state=pb.Artifact.LIVE)
    if file.place in known:
        made.id = known[file.place]
    made.custom_properties["digest"].string_value = file.digest
    made.custom_properties["bytes"].int_value = file.bytes
    return made


def event(kind, file):
    return pb.Event(type=kind, path=pb.Event.Path(steps=[pb.Event.Path.Step(key=file.role)]))


main()
