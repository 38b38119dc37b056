"""Runs the toy, and reports its steps with the released client of OpenLineage."""
import datetime

import attr
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    InputDatasetFacet,
    OutputDatasetFacet,
    dataset_version_dataset,
    execution_parameters_run,
    source_code_location_job,
    tags_run,
)
from openlineage.client.uuid import generate_new_uuid

import toy_steps


@attr.define
class InputUse(InputDatasetFacet):
    role: str
    path: str


@attr.define
class OutputUse(OutputDatasetFacet):
    role: str
    path: str


def main():
    given = toy_steps.arguments()
    client = OpenLineageClient(url=f"http://127.0.0.1:{given.port}")
    for step in toy_steps.run(given):
        tags = {"pedigree.command": step.command, "pedigree.environment.image": step.image}
        tags = [tags_run.TagsRunFacetFields(key=key, value=value) for key, value in tags.items()]
        parameters = [
            execution_parameters_run.ExecutionParameter(key=name, value=value)
            for name, value in step.parameters.items()
        ]
        code = source_code_location_job.SourceCodeLocationJobFacet(
            type="git", url=step.repository, version=step.commit
        )
        facets = {
            "tags": tags_run.TagsRunFacet(tags=tags),
            "executionParameters": execution_parameters_run.ExecutionParametersRunFacet(parameters=parameters),
        }
        run = Run(runId=str(generate_new_uuid()), facets=facets)
        job = Job(namespace="toy", name=step.name, facets={"sourceCodeLocation": code})
        for state in (RunState.START, RunState.COMPLETE):
            client.emit(
                RunEvent(
                    eventType=state,
                    eventTime=datetime.datetime.now(datetime.timezone.utc).isoformat(),
                    run=run,
                    job=job,
                    producer="https://example.com/toy",
                    inputs=[used(file) for file in step.inputs],
                    outputs=[made(file) for file in step.outputs],
                )
            )


def version(file):
    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=file.digest)}


def used(file):
    use = {"pedigree_use": InputUse(role=file.role, path=file.path)}
    return InputDataset(namespace="file", name=file.place, facets=version(file), inputFacets=use)


def made(file):
    use = {"pedigree_use": OutputUse(role=file.role, path=file.path)}
    return OutputDataset(namespace="file", name=file.place, facets=version(file), outputFacets=use)


main()
