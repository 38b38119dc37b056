"""The pipeline of the tests of `pedigree collect kfp`.

`kfp dsl compile --py pipeline.py --output pipeline.yaml` of the SDK 2.17 compiles it; pipeline.json
is the same as JSON.
"""

from typing import Optional

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

EVALUATE = "registry.example/team/evaluate@sha256:" + "e" * 64


@dsl.component(base_image="python:3.11")
def train(
    images: Input[Dataset],
    model: Output[Model],
    epochs: int,
    rate: float = 0.125,
    layers: list = [64, 10],
    note: str = "first",
) -> float:
    with open(images.path) as rows, open(model.path, "w") as file:
        file.write(f"{epochs} {rate} {layers} {note} {sum(map(float, rows))}")
    return 0.9375


@dsl.container_component
def evaluate(
    model: Input[Model],
    report: Output[Dataset],
    shard: int,
    threshold: Optional[float] = None,
):
    return dsl.ContainerSpec(
        image=EVALUATE,
        command=["evaluate", "--model", model.path],
        args=[
            dsl.ConcatPlaceholder(["--shard=", shard]),
            dsl.IfPresentPlaceholder(
                input_name="threshold", then=["--threshold", threshold], else_=["--all"]
            ),
            "--rows",
            model.metadata["rows"],
            report.path,
        ],
    )


@dsl.container_component
def publish(model: Input[Model], receipt: Output[Dataset]):
    return dsl.ContainerSpec(
        image="registry.example/team/publish:7",
        command=["publish", model.uri, receipt.path],
    )


@dsl.pipeline
def fit(images: Input[Dataset], epochs: int) -> Model:
    task = train(images=images, epochs=epochs)
    task.set_env_variable("PYTHONHASHSEED", "0")
    task.set_env_variable("API_KEY", "hunter2")
    return task.outputs["model"]


@dsl.pipeline(name="training")
def training(epochs: int = 3):
    images = dsl.importer(
        artifact_uri="minio://mlpipeline/images", artifact_class=Dataset, reimport=False
    )
    fitted = fit(images=images.output, epochs=epochs)
    with dsl.ParallelFor([0, 1]) as shard:
        evaluate(model=fitted.output, shard=shard)
    publish(model=fitted.output).set_display_name("Publish the model")
