"""Trains with the automatic logging of the released client of MLflow, and checks what was logged.

Takes the URI of a server, which gets the files of the models. Says on its last line the id of a
run, and the id of the model that it made.
"""

import math
import os
import pathlib
import subprocess
import sys

import lightgbm
import mlflow
import numpy
import pandas
import xgboost
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

COUNT = 60


def examples() -> tuple[pandas.DataFrame, pandas.Series]:
    """Examples that a linear model separates."""
    values = numpy.random.default_rng(1).normal(size=(COUNT, 3))
    features = pandas.DataFrame(values, columns=["a", "b", "c"])
    return features, (features.a + features.b > 0).astype(int)


def main() -> None:
    """Runs every step, in order."""
    server = sys.argv[1]
    mlflow.set_tracking_uri(server)
    client = MlflowClient()
    experiment = client.create_experiment("auto")
    mlflow.set_experiment("auto")
    features, labels = examples()

    run_id, model_id = with_scikit_learn(client, features, labels)
    with_boosting(client, features, labels)
    search_of_parameters(client, experiment, features, labels)
    asynchronously(client)
    from_the_command_line(server, experiment, run_id)
    print(run_id, model_id)


def models_of(client: MlflowClient, run_id: str) -> list:
    """The models that a run made."""
    outputs = client.get_run(run_id).outputs.model_outputs
    return [client.get_logged_model(output.model_id) for output in outputs]


def with_scikit_learn(client: MlflowClient, features, labels) -> tuple[str, str]:
    """Trains, registers the model, and loads it by its alias."""
    mlflow.sklearn.autolog(registered_model_name="forest")
    with mlflow.start_run(run_name="scikit-learn") as started:
        LogisticRegression(C=0.5).fit(features, labels)
    mlflow.sklearn.autolog(disable=True)
    run = client.get_run(started.info.run_id)
    assert run.info.status == "FINISHED" and run.data.params["C"] == "0.5", run
    assert run.data.metrics["training_score"] > 0.5, run.data.metrics
    assert [it.tags[0].value for it in run.inputs.dataset_inputs] == ["train"], run.inputs
    (model,) = models_of(client, run.info.run_id)
    assert model.status == "READY" and model.source_run_id == run.info.run_id, model

    (version,) = client.search_model_versions("name = 'forest'")
    assert version.run_id == run.info.run_id, version
    client.set_registered_model_alias("forest", "champion", version.version)
    client.transition_model_version_stage("forest", version.version, "Production")
    for named in ["forest@champion", "forest/Production", model.model_id]:
        uri = f"models:/{named}"
        predicted = mlflow.sklearn.load_model(uri).predict(features)
        assert len(predicted) == COUNT, uri
    downloaded = mlflow.artifacts.download_artifacts(f"models:/{model.model_id}")
    assert (pathlib.Path(downloaded) / "MLmodel").exists()
    return run.info.run_id, model.model_id


def with_boosting(client: MlflowClient, features, labels) -> None:
    """Trains with xgboost and lightgbm, whose metrics have a point each round."""
    mlflow.xgboost.autolog()
    with mlflow.start_run(run_name="xgboost") as started:
        matrix = xgboost.DMatrix(features, labels)
        settings = {"objective": "binary:logistic", "max_depth": 2, "nthread": 1}
        xgboost.train(settings, matrix, 5, evals=[(matrix, "train")], verbose_eval=False)
    mlflow.xgboost.autolog(disable=True)
    check_rounds(client, started.info.run_id, "train-logloss", "max_depth")

    mlflow.lightgbm.autolog()
    with mlflow.start_run(run_name="lightgbm") as started:
        data = lightgbm.Dataset(features, labels)
        settings = {"objective": "binary", "max_depth": 2, "num_threads": 1, "verbose": -1}
        lightgbm.train(settings, data, 5, valid_sets=[data], valid_names=["train"])
    mlflow.lightgbm.autolog(disable=True)
    check_rounds(client, started.info.run_id, "train-binary_logloss", "max_depth")


def check_rounds(client: MlflowClient, run_id: str, metric: str, parameter: str) -> None:
    """Checks a run of five rounds that made a model."""
    run = client.get_run(run_id)
    assert run.data.params[parameter] == "2", run.data.params
    history = client.get_metric_history(run_id, metric)
    assert [it.step for it in history] == list(range(5)), history
    (model,) = models_of(client, run_id)
    assert model.status == "READY", model


def search_of_parameters(client: MlflowClient, experiment: str, features, labels) -> None:
    """A search of parameters has a run for each of the best ones below its own."""
    mlflow.sklearn.autolog(log_models=False, max_tuning_runs=2)
    with mlflow.start_run(run_name="search") as started:
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(features, labels)
    mlflow.sklearn.autolog(disable=True)
    below = f"tags.`mlflow.parentRunId` = '{started.info.run_id}'"
    found = client.search_runs([experiment], below, order_by=["metrics.mean_test_score DESC"])
    assert len(found) == 2 and all("C" in it.data.params for it in found), found
    assert "best_C" in client.get_run(started.info.run_id).data.params


def asynchronously(client: MlflowClient) -> None:
    """Logs without waiting: many small requests, all of which arrive."""
    mlflow.config.enable_async_logging()
    with mlflow.start_run(run_name="async") as started:
        for step in range(100):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_params({f"p{index}": index for index in range(20)})
    mlflow.flush_async_logging()
    mlflow.config.enable_async_logging(enable=False)
    history = client.get_metric_history(started.info.run_id, "loss")
    assert sorted(it.step for it in history) == list(range(100)), len(history)
    run = client.get_run(started.info.run_id)
    assert len(run.data.params) == 20 and math.isclose(run.data.metrics["loss"], 0.01)


def from_the_command_line(server: str, experiment: str, run_id: str) -> None:
    """The command `mlflow` describes the run, and prints the runs of the experiment."""
    for command, expected in [
        (["runs", "describe", "--run-id", run_id], '"training_score"'),
        (["experiments", "csv", "--experiment-id", experiment], "metrics.training_score"),
    ]:
        command = [sys.executable, "-m", "mlflow", *command]
        ended = subprocess.run(
            command, env={**os.environ, "MLFLOW_TRACKING_URI": server}, check=True,
            capture_output=True, text=True,
        )
        assert expected in ended.stdout, (command, ended.stdout)


if __name__ == "__main__":
    main()
