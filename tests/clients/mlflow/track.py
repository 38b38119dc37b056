"""Tracks runs with the released client of MLflow, and checks what it reads back.

Takes the URI of a server. Says on its last line what the graph must have.
"""

import math
import os
import sys
import tempfile

import mlflow
import mlflow.genai
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException


def main() -> None:
    """Runs every step, in order."""
    mlflow.set_tracking_uri(sys.argv[1])
    client = MlflowClient()
    experiment = mlflow.set_experiment("demo")
    assert mlflow.set_experiment("demo").experiment_id == experiment.experiment_id

    with mlflow.start_run(run_name="outer", description="what it is") as outer:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"depth": 3, "kind": "tree"})
        for step in range(20):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow.log_metrics({"acc": 0.9, "none": math.nan, "all": math.inf}, step=7)
        mlflow.set_tags({"team": "red", "stage": "try"})
        with mlflow.start_run(run_name="inner", nested=True) as inner:
            mlflow.log_metric("acc", 0.7)
            mlflow.log_metric("slow", 1.0, synchronous=False).wait()

    run = client.get_run(outer.info.run_id)
    assert run.info.status == "FINISHED" and run.info.end_time >= run.info.start_time
    assert run.data.params == {"lr": "0.1", "depth": "3", "kind": "tree"}, run.data.params
    assert run.data.metrics["loss"] == 1.0 / 20 and run.data.metrics["acc"] == 0.9
    assert math.isnan(run.data.metrics["none"]) and run.data.metrics["all"] == math.inf
    assert run.data.tags["team"] == "red" and run.data.tags["mlflow.note.content"] == "what it is"
    history = client.get_metric_history(outer.info.run_id, "loss")
    assert [(it.step, it.value) for it in history] == [(it, 1.0 / (it + 1)) for it in range(20)]

    found = client.search_runs(
        [experiment.experiment_id], "metrics.acc > 0.8 AND params.kind = 'tree'"
    )
    assert [it.info.run_id for it in found] == [outer.info.run_id]
    below = f"tags.`mlflow.parentRunId` = '{outer.info.run_id}'"
    found = client.search_runs([experiment.experiment_id], below)
    assert [it.info.run_name for it in found] == ["inner"]
    pages = client.search_runs([experiment.experiment_id], max_results=1)
    more = client.search_runs([experiment.experiment_id], max_results=1, page_token=pages.token)
    assert {it.info.run_id for it in [*pages, *more]} == {outer.info.run_id, inner.info.run_id}

    refused = None
    try:
        client.log_param(outer.info.run_id, "lr", 0.2)
    except MlflowException as error:
        refused = error.error_code
    assert refused == "INVALID_PARAMETER_VALUE", refused

    check_artifacts(client, outer.info.run_id)
    check_models(client, outer.info.run_id)
    check_prompts()

    client.delete_tag(outer.info.run_id, "stage")
    client.set_terminated(inner.info.run_id, "FAILED")
    client.rename_experiment(experiment.experiment_id, "renamed")
    client.set_experiment_tag(experiment.experiment_id, "owner", "ann")
    client.delete_run(inner.info.run_id)
    assert client.get_run(inner.info.run_id).info.lifecycle_stage == "deleted"
    client.restore_run(inner.info.run_id)
    client.delete_experiment(experiment.experiment_id)
    client.restore_experiment(experiment.experiment_id)
    named = client.search_experiments(filter_string="name = 'renamed' AND tags.owner = 'ann'")
    assert [it.experiment_id for it in named] == [experiment.experiment_id]
    assert client.get_experiment_by_name("Default").experiment_id == "0"
    print(outer.info.run_id)


def check_artifacts(client: MlflowClient, run_id: str) -> None:
    """Logs files and folders of a run and of a model, lists them and reads them back."""
    with tempfile.TemporaryDirectory() as folder:
        deep = os.path.join(folder, "out", "deep er")
        os.makedirs(deep)
        large = os.urandom(3_000_000)
        for path, content in [("out/a.bin", large), ("out/deep er/é.txt", b"x"), ("out/empty", b"")]:
            with open(os.path.join(folder, path), "wb") as file:
                file.write(content)
        client.log_artifacts(run_id, os.path.join(folder, "out"), "data")
        client.log_artifact(run_id, os.path.join(folder, "out", "a.bin"))
        client.log_text(run_id, "first", "notes/n.txt")
        client.log_text(run_id, "second", "notes/n.txt")
        client.log_dict(run_id, {"a": 1}, "conf.json")
        listed = [(it.path, it.is_dir, it.file_size) for it in client.list_artifacts(run_id)]
        assert listed == [
            ("a.bin", False, 3_000_000),
            ("conf.json", False, 12),
            ("data", True, None),
            ("notes", True, None),
        ], listed
        listed = [it.path for it in client.list_artifacts(run_id, "data")]
        assert listed == ["data/a.bin", "data/deep er", "data/empty"], listed
        assert client.list_artifacts(run_id, "nothing") == []
        loaded = client.download_artifacts(run_id, "data", folder)
        with open(os.path.join(loaded, "a.bin"), "rb") as file:
            assert file.read() == large
        with open(os.path.join(loaded, "deep er", "é.txt"), "rb") as file:
            assert file.read() == b"x"
        assert os.path.getsize(os.path.join(loaded, "empty")) == 0
        uri = f"runs:/{run_id}/notes/n.txt"
        assert mlflow.artifacts.load_text(uri) == "second"

        experiment = client.get_run(run_id).info.experiment_id
        model = client.create_logged_model(experiment, name="files", source_run_id=run_id)
        client.log_model_artifacts(model.model_id, os.path.join(folder, "out"))
        client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        listed = [it.path for it in client.list_logged_model_artifacts(model.model_id)]
        assert listed == ["a.bin", "deep er", "empty"], listed
        loaded = mlflow.artifacts.download_artifacts(f"models:/{model.model_id}")
        with open(os.path.join(loaded, "deep er", "é.txt"), "rb") as file:
            assert file.read() == b"x"


def check_models(client: MlflowClient, run_id: str) -> None:
    """Logs a model of a run, and registers it."""
    experiment = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(
        experiment, name="forest", source_run_id=run_id, params={"trees": "10"}, tags={"a": "b"}
    )
    client.log_metric(
        run_id, "auc", 0.8, step=1, model_id=model.model_id, dataset_name="d", dataset_digest="1"
    )
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=3)])
    client.set_logged_model_tags(model.model_id, {"c": "d"})
    client.delete_logged_model_tag(model.model_id, "a")
    ready = client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    assert ready.status == LoggedModelStatus.READY and ready.tags == {"c": "d"}, ready
    assert ready.params == {"trees": "10"} and ready.metrics[0].value == 0.8, ready
    found = client.search_logged_models([experiment], filter_string="metrics.auc > 0.5")
    assert [it.model_id for it in found] == [model.model_id]
    outputs = client.get_run(run_id).outputs.model_outputs
    assert [(it.model_id, it.step) for it in outputs] == [(model.model_id, 3)]

    client.create_registered_model("Reg", tags={"team": "red"}, description="what it is")
    source = f"models:/{model.model_id}"
    first = client.create_model_version(
        "Reg", source, run_id=run_id, model_id=model.model_id, await_creation_for=0
    )
    second = client.create_model_version("Reg", "s3://bucket/x", await_creation_for=0)
    assert (int(first.version), int(second.version)) == (1, 2)
    assert client.get_model_version_download_uri("Reg", "1") == source
    for version in ["1", "2"]:
        client.set_registered_model_alias("Reg", "champion", version)
        assert client.get_model_version_by_alias("Reg", "champion").version == version
    client.set_model_version_tag("Reg", "1", "k", "v")
    client.update_model_version("Reg", "1", description="the first")
    client.transition_model_version_stage("Reg", "1", "Staging")
    versions = client.search_model_versions("name = 'Reg'", order_by=["version_number ASC"])
    assert [int(it.version) for it in versions] == [1, 2], versions
    assert versions[0].tags == {"k": "v"} and versions[0].description == "the first"
    assert [it.version for it in client.get_latest_versions("Reg", ["Staging"])] == ["1"]
    registered = client.search_registered_models("tags.team = 'red'")
    assert [it.name for it in registered] == ["Reg"] and registered[0].aliases == {"champion": "2"}
    client.delete_registered_model_alias("Reg", "champion")
    client.delete_model_version("Reg", "2")
    client.rename_registered_model("Reg", "Renamed")
    assert client.get_registered_model("Renamed").latest_versions[0].current_stage == "Staging"
    client.delete_registered_model("Renamed")
    client.delete_logged_model(model.model_id)


def check_prompts() -> None:
    """Registers versions of a prompt, and loads them."""
    for text in ["Hello {{name}}", "Good day, {{name}}"]:
        mlflow.genai.register_prompt("greet", text, commit_message="why", tags={"tone": "kind"})
    mlflow.genai.set_prompt_alias("greet", alias="live", version=1)
    assert mlflow.genai.load_prompt("prompts:/greet@live").format(name="Ann") == "Hello Ann"
    newest = mlflow.genai.load_prompt("prompts:/greet/2")
    assert newest.template == "Good day, {{name}}" and newest.tags["tone"] == "kind", newest
    assert [it.name for it in mlflow.genai.search_prompts()] == ["greet"]
    assert MlflowClient().search_registered_models() == []


if __name__ == "__main__":
    main()
