"""Reads what producers sent with the released client of Marquez, whose calls of events are older
than Marquez's own."""

import argparse

from marquez_client import MarquezClient

LAKE = "s3://lake"
FEATURES = "features/v1"


def names(entries):
    return [entry["name"] for entry in entries]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", required=True)
    client = MarquezClient(f"http://127.0.0.1:{parser.parse_args().port}")

    namespaces = names(client.list_namespaces()["namespaces"])
    assert LAKE in namespaces and "default" in namespaces, namespaces
    assert client.get_namespace(LAKE)["name"] == LAKE

    datasets = names(client.list_datasets(LAKE, limit=50, offset=0)["datasets"])
    assert FEATURES in datasets, datasets
    features = client.get_dataset(LAKE, FEATURES)
    assert features["id"] == {"namespace": LAKE, "name": FEATURES}, features
    assert features["fields"], features
    versions = client.list_dataset_versions(LAKE, FEATURES)["versions"]
    version = client.get_dataset_version(LAKE, FEATURES, versions[0]["version"])
    assert version == versions[0], version

    jobs = [
        (namespace, job)
        for namespace in namespaces
        for job in names(client.list_jobs(namespace)["jobs"])
    ]
    assert jobs
    for namespace, name in jobs:
        job = client.get_job(namespace, name)
        assert job["name"] == name, job
        for run in client.list_job_runs(namespace, name)["runs"]:
            assert client.get_job_run(run["id"]) == run, run

    lineage = client.get_column_lineage_by_dataset(LAKE, FEATURES, with_downstream=True)
    assert lineage["graph"], lineage
    assert client.list_tags()["tags"] == []


main()
