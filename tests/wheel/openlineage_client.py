"""Sends the events of two runs with the released client of OpenLineage: one run writes what the
other reads.

The client is set up as its users do: by OPENLINEAGE_URL alone, and with a compressing transport.
"""

import argparse
import os

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import parent_run, schema_dataset
from openlineage.client.transport.http import HttpCompression, HttpConfig, HttpTransport

PRODUCER = "https://example.com/test"
PIPELINE = "01a222a1-f182-7b9a-9e85-865cf9fcb640"
WRITER = "01a222a1-f182-7b9a-9e85-865cf9fcb641"
READER = "01a222a1-f182-7b9a-9e85-865cf9fcb642"


def event(state, second, run, job, inputs=(), outputs=()):
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=PIPELINE),
        job=parent_run.Job(namespace="team", name="pipeline"),
    )
    return RunEvent(
        eventType=state,
        eventTime=f"2025-11-27T03:00:{second:02}.000000+00:00",
        run=Run(runId=run, facets={"parent": parent}),
        job=Job(namespace="team", name=job),
        producer=PRODUCER,
        inputs=list(inputs),
        outputs=list(outputs),
    )


def features():
    fields = [schema_dataset.SchemaDatasetFacetFields(name="id", type="bigint")]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", required=True)
    url = f"http://127.0.0.1:{parser.parse_args().port}"

    os.environ["OPENLINEAGE_URL"] = url
    plain = OpenLineageClient()
    written = [OutputDataset(namespace="s3://lake", name="features", facets=features())]
    plain.emit(event(RunState.START, 1, WRITER, "write", outputs=written))
    plain.emit(event(RunState.COMPLETE, 2, WRITER, "write", outputs=written))

    config = HttpConfig(url=url, compression=HttpCompression.GZIP)
    compressing = OpenLineageClient(transport=HttpTransport(config))
    read = [InputDataset(namespace="s3a://lake", name="/features")]
    compressing.emit(event(RunState.START, 3, READER, "read", inputs=read))
    compressing.emit(event(RunState.COMPLETE, 4, READER, "read"))


main()
