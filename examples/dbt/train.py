"""Trains a toy model on a table that dbt made, and tells Pedigree so as OpenLineage."""

import json
from datetime import datetime, timezone

import duckdb
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.uuid import generate_new_uuid

client = OpenLineageClient()
run, job = Run(str(generate_new_uuid())), Job("churn", "train")
features = InputDataset("duckdb://churn.duckdb", "churn.main.features")
model = OutputDataset("churn", "model")


def emit(state):
    event = RunEvent(
        eventType=state,
        eventTime=datetime.now(timezone.utc).isoformat(),
        run=run,
        job=job,
        producer="https://example.com/train",
        inputs=[features],
        outputs=[model],
    )
    client.emit(event)


emit(RunState.START)
query = "select country, avg(visits) from features group by country order by country"
with duckdb.connect("churn.duckdb", read_only=True) as database, open("model.json", "w") as file:
    json.dump(dict(database.execute(query).fetchall()), file)
emit(RunState.COMPLETE)
client.close()
