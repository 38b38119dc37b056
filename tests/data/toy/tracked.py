"""Runs a step as a run of MLflow, with the tags from which it can be run again. Where no server is
set, it runs the step alone.

    tracked.py STEP ROLE=URI,... PATH... PARAMETER...

The URIs are those of inputs that are on the server. Says on its last line where its files are.
"""

import hashlib
import importlib
import json
import os
import pathlib
import platform
import sys
from importlib.metadata import distributions

# The inputs, the outputs and the parameters of each step, in the order of its words.
STEPS = {
    "shuffle": (["raw"], ["shuffled"], ["seed"]),
    "train": (["shuffled"], ["model"], ["trees", "seed"]),
    "evaluate": (["shuffled", "model"], ["metrics"], []),
}


def main():
    name, uris, *words = sys.argv[1:]
    step = importlib.import_module(name)
    if "MLFLOW_TRACKING_URI" not in os.environ:
        step.main(*words)
        return
    import mlflow

    inputs, outputs, parameters = STEPS[name]
    given = dict(zip(inputs + outputs + parameters, words))
    known = dict(pair.split("=", 1) for pair in uris.split(",") if pair)
    command = ["python", "tracked.py", name, uris]
    command += [f"{{in:{role}}}" for role in inputs] + [f"{{out:{role}}}" for role in outputs]
    command += [f"{{param:{parameter}}}" for parameter in parameters]
    tags = {
        "pedigree.command": json.dumps(command),
        "pedigree.code.repository": pathlib.Path.cwd().as_uri(),
    }
    tags |= {f"pedigree.input.{role}": given[role] for role in inputs}
    tags |= {f"pedigree.output.{role}": given[role] for role in outputs}
    image = os.environ.get("TOY_IMAGE")
    if image:
        tags["pedigree.environment.image"] = image
    else:
        tags["pedigree.environment.python"] = platform.python_version()

    if "sklearn" in sys.modules:
        import mlflow.sklearn

        # Its own dataset has no SHA-256 and no place, and its metrics put the id of the run into
        # the forest.
        mlflow.sklearn.autolog(log_datasets=False, log_post_training_metrics=False)
    with mlflow.start_run(run_name=name, tags=tags) as run:
        mlflow.log_params({parameter: given[parameter] for parameter in parameters})
        for role in inputs:
            log_input(role, pathlib.Path(given[role]).resolve(), known.get(role))
        step.main(*words)
        for role in outputs:
            mlflow.log_artifact(given[role])
        if not image:
            packages = {f"{it.metadata['Name']}=={it.version}\n" for it in distributions()}
            mlflow.log_text("".join(sorted(packages)), "requirements.txt")
    print(run.info.artifact_uri)


def log_input(role, path, uri):
    import mlflow
    from mlflow.data.http_dataset_source import HTTPDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = HTTPDatasetSource(uri or path.as_uri())
    digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    dataset = MetaDataset(source, name=role)
    mlflow.log_input(dataset, context=role, tags={"pedigree.digest": digest})


main()
