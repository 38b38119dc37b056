"""The chart, rendered by helm."""

import functools
import pathlib
import subprocess

import yaml

REPOSITORY = pathlib.Path(__file__).parents[2]
CHART = REPOSITORY / "helm/pedigree"
HELM = REPOSITORY / "target/tools/bin/helm"

# One file of values for each way to run the server.
MODES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))

# The oldest version of Kubernetes that every field is known to, one between, and the newest.
KUBERNETES = ["1.27.0", "1.32.0", "1.37.0"]


def helm(*arguments):
    """Runs helm to its end, whatever that is."""
    assert HELM.exists(), f"there is no {HELM}: run tests/run once, it builds helm there"
    return subprocess.run([HELM, *map(str, arguments)], capture_output=True, text=True)


@functools.cache
def template(*arguments, kubernetes=KUBERNETES[-1]):
    """Runs `helm template`, which may fail."""
    return helm("template", "rel", CHART, "--namespace", "apps", "--kube-version", kubernetes, *arguments)


def documents(*arguments, **options):
    """The manifests of a chart that must render, hooks among them."""
    done = template(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def mode(name, *arguments, **options):
    """The manifests of a mode."""
    return documents("--values", CHART / f"ci/{name}.yaml", *arguments, **options)


def one(manifests, kind, name=None):
    """The only manifest of a kind, or the one with a name."""
    found = [m for m in manifests if m["kind"] == kind and name in (None, m["metadata"]["name"])]
    assert len(found) == 1, [(m["kind"], m["metadata"]["name"]) for m in manifests]
    return found[0]


def pod_spec(manifest):
    """The pod that a manifest is, or makes."""
    match manifest["kind"]:
        case "Pod":
            return manifest["spec"]
        case "Deployment" | "Job":
            return manifest["spec"]["template"]["spec"]
    return None


def container(manifest):
    """The only container of a manifest."""
    (only,) = pod_spec(manifest)["containers"]
    return only
