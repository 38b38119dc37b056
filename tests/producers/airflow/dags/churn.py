"""Trains a model on the features that Spark has written, and publishes what failed to train."""

import os

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, task

FOLDER = os.environ["CHURN_FOLDER"]
FEATURES = Asset(f"file://{FOLDER}/out/features")
MODEL = Asset(f"file://{FOLDER}/model")
REPORT = Asset(f"file://{FOLDER}/report")

with DAG("churn", schedule=None):

    @task(inlets=[FEATURES], outlets=[MODEL])
    def train():
        """Counts the files of the features."""
        with open(f"{FOLDER}/model", "w", encoding="utf-8") as model:
            model.write(str(len(os.listdir(f"{FOLDER}/out/features"))))

    publish = BashOperator(
        task_id="publish",
        bash_command="exit 1",
        inlets=[MODEL],
        outlets=[REPORT],
        retries=0,
    )
    train() >> publish
