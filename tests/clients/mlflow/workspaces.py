"""Logs a run with a file in each workspace, and looks into one that the user may not use.

    workspaces.py URL FOLDER
"""

import os
import sys

import mlflow
from mlflow.exceptions import MlflowException

url, folder = sys.argv[1:]
mlflow.set_tracking_uri(url)
runs = {}
for name in ["one", "default"]:
    mlflow.set_workspace(name)
    experiment = mlflow.set_experiment("shared")
    assert experiment.workspace == name, experiment
    with mlflow.start_run() as run:
        mlflow.log_metric("acc", 0.9)
        mlflow.log_text(name, "name.txt")
    runs[name] = run.info
for name, run in runs.items():
    mlflow.set_workspace(name)
    found = mlflow.search_runs(experiment_names=["shared"], output_format="list")
    assert [it.info.run_id for it in found] == [run.run_id], found
    text = mlflow.artifacts.load_text(f"{run.artifact_uri}/name.txt")
    assert text == name, text
os.environ["MLFLOW_WORKSPACE"] = "one"
mlflow.set_workspace(None)
assert len(mlflow.search_runs(experiment_names=["shared"])) == 1
mlflow.set_workspace("two")
try:
    mlflow.search_experiments()
except MlflowException as refused:
    assert "permission in this tenant" in str(refused), refused
else:
    raise AssertionError("the workspace is not that of the user")
print("done")
