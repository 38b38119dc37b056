"""Runs the steps of the toy in `../data/toy/`, for recorders that say afterwards what each step did."""
import argparse
import hashlib
import json
import pathlib
import subprocess
from dataclasses import dataclass

# Name, inputs, outputs and parameters of each step. Files have a role and a path from the folder of the project.
STEPS = (
    ("shuffle", {"raw": "data/raw.csv"}, {"shuffled": "data/shuffled.csv"}, {"seed": "7"}),
    ("train", {"shuffled": "data/shuffled.csv"}, {"model": "out/model.pkl"}, {"trees": "20", "seed": "7"}),
    ("evaluate", {"shuffled": "data/shuffled.csv", "model": "out/model.pkl"}, {"metrics": "out/metrics.json"}, {}),
)


@dataclass
class File:
    role: str
    # From the folder of the project.
    path: str
    # Absolute.
    place: str
    digest: str
    bytes: int


@dataclass
class Step:
    name: str
    # With placeholders, as JSON.
    command: str
    inputs: list
    outputs: list
    parameters: dict
    repository: str
    commit: str
    image: str


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", required=True)
    parser.add_argument("--folder", required=True, type=pathlib.Path, help="of the project")
    parser.add_argument("--python", required=True, help="with the packages of the steps")
    parser.add_argument("--image", required=True, help="what is said to be their image, with a digest")
    return parser.parse_args()


def run(given):
    """Runs the steps, and yields each with its facts when it is done."""
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=given.folder, text=True).strip()
    for name, inputs, outputs, parameters in STEPS:
        words = [*inputs.values(), *outputs.values(), *parameters.values()]
        subprocess.run([given.python, f"{name}.py", *words], cwd=given.folder, check=True)
        placeholders = [f"{{in:{role}}}" for role in inputs] + [f"{{out:{role}}}" for role in outputs]
        placeholders += [f"{{param:{parameter}}}" for parameter in parameters]
        yield Step(
            name=name,
            command=json.dumps(["python", f"{name}.py", *placeholders]),
            inputs=_files(given.folder, inputs),
            outputs=_files(given.folder, outputs),
            parameters=parameters,
            repository=given.folder.as_uri(),
            commit=commit,
            image=given.image,
        )


def _files(folder, roles):
    def file(role, path):
        content = (folder / path).read_bytes()
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        return File(role, path, str(folder / path), digest, len(content))

    return [file(role, path) for role, path in roles.items()]
