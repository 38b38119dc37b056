"""Where the security file comes from, and what it needs beside it."""

import pytest
from helm import MODES, container, documents, mode, one, pod_spec

FILE = '[[grant]]\nsubjects = ["k8s:ml:*"]\nrole = "writer"\n'

PLACE = "/etc/pedigree/security"


def server(manifests, kind="Deployment"):
    """The environment, mounts and volumes of the server, or of the migration Job."""
    manifest = one(manifests, kind)
    only = container(manifest)
    env = {entry["name"]: entry.get("value") for entry in only["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in only["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod_spec(manifest)["volumes"]}
    return env, mounts, volumes


def test_without_a_file_there_is_none():
    env, mounts, volumes = server(documents())
    assert "PEDIGREE_SECURITY" not in env
    assert "security" not in mounts.keys() | volumes.keys()
    assert "cluster" not in mounts.keys() | volumes.keys()


@pytest.mark.parametrize("name", sorted(set(MODES) - {"sqlite"}))
def test_the_text_of_a_file_is_in_a_config_map(name, tmp_path):
    file = tmp_path / "security.toml"
    file.write_text(FILE)
    manifests = mode(name, "--set-file", f"security.config={file}")
    env, mounts, volumes = server(manifests)
    assert env["PEDIGREE_SECURITY"] == f"{PLACE}/security.toml"
    assert mounts["security"] == PLACE
    made = one(manifests, "ConfigMap", volumes["security"]["configMap"]["name"])
    assert made["data"] == {"security.toml": FILE}


def test_a_secret_has_it_too():
    env, mounts, volumes = server(documents("--set", "security.existingSecret=s,security.key=k"))
    assert env["PEDIGREE_SECURITY"] == f"{PLACE}/security.toml"
    assert mounts["security"] == PLACE
    assert volumes["security"]["secret"] == {"secretName": "s", "items": [{"key": "k", "path": "security.toml"}]}


def test_the_urls_of_tenants_are_mounted():
    tenant = "security.tenants[{}].name={},security.tenants[{}].secret={},security.tenants[{}].key=url"
    values = ",".join(tenant.format(n, name, n, secret, n) for n, (name, secret) in enumerate([("a", "s"), ("b", "t")]))
    _, mounts, volumes = server(documents("--set", values))
    assert mounts["tenants"] == "/etc/pedigree/tenants"
    sources = volumes["tenants"]["projected"]["sources"]
    assert sources == [
        {"secret": {"name": "s", "items": [{"key": "url", "path": "a"}]}},
        {"secret": {"name": "t", "items": [{"key": "url", "path": "b"}]}},
    ]
    _, mounts, volumes = server(documents())
    assert "tenants" not in mounts.keys() | volumes.keys()


def test_the_keys_of_the_cluster_can_be_fetched():
    more = ["--set", "security.serviceAccounts.enabled=true,networkPolicy.enabled=true"]
    manifests = documents(*more)
    _, mounts, volumes = server(manifests)
    # The paths of docs/security.md.
    assert mounts["cluster"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    token, authority = volumes["cluster"]["projected"]["sources"]
    assert token == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
    assert authority == {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    # Nothing else is mounted by itself.
    assert pod_spec(one(manifests, "Deployment"))["automountServiceAccountToken"] is False
    egress = one(manifests, "NetworkPolicy")["spec"]["egress"]
    assert {"ports": [{"port": 443}, {"port": 6443}]} in egress


def test_the_job_makes_the_history_append_only():
    for values, arguments in [
        ("migration.appendOnly=true,migration.widen=false", ["--append-only"]),
        ("migration.appendOnly=true,migration.widen=true", ["--widen", "--append-only"]),
        ("migration.widen=true", ["--widen"]),
    ]:
        job = container(one(mode("mysql", "--set", values), "Job"))
        assert job["command"] == ["/bin/pedigree", "migrate"]
        assert job["args"] == arguments
    assert "args" not in container(one(mode("mysql", "--set", "migration.widen=false"), "Job"))


def test_the_job_migrates_all_tenants_of_the_file(tmp_path):
    file = tmp_path / "security.toml"
    file.write_text(FILE)
    tenant = "security.tenants[0].name=a,security.tenants[0].secret=s,security.tenants[0].key=url"
    extra = "extraVolumes[0].name=x,extraVolumes[0].emptyDir.medium=Memory,extraVolumeMounts[0].name=x"
    for values in [["--set-file", f"security.config={file}"], ["--set", "security.existingSecret=s"]]:
        manifests = mode("mysql", *values, "--set", f"{tenant},{extra},extraVolumeMounts[0].mountPath=/x")
        job = one(manifests, "Job")
        assert container(job)["args"][-1] == "--all-tenants"
        env, mounts, volumes = server(manifests, "Job")
        _, server_mounts, server_volumes = server(manifests)
        assert env["PEDIGREE_SECURITY"] == f"{PLACE}/security.toml"
        assert mounts == server_mounts
        for name in ["tenants", "x"]:
            assert volumes[name] == server_volumes[name]
        if "existingSecret" in values[1]:
            assert volumes["security"] == server_volumes["security"]
            continue
        # Hooks run before the chart's ConfigMap exists.
        name = volumes["security"]["configMap"]["name"]
        assert name != server_volumes["security"]["configMap"]["name"]
        made = one(manifests, "ConfigMap", name)
        assert made["data"] == {"security.toml": FILE}
        hooks = made["metadata"]["annotations"]
        assert hooks["helm.sh/hook"] == job["metadata"]["annotations"]["helm.sh/hook"]
        assert int(hooks["helm.sh/hook-weight"]) < 0
    env, mounts, volumes = server(mode("mysql"), "Job")
    assert "PEDIGREE_SECURITY" not in env
    assert not {"security", "tenants"} & (mounts.keys() | volumes.keys())
