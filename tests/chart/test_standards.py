"""Every manifest is one that Kubernetes takes, and every pod keeps to the restricted Pod Security Standard."""

import json
import pathlib
import re

import jsonschema
import kubernetes_validate
import pytest
import yaml
from helm import CHART, KUBERNETES, MODES, mode, pod_spec

CUSTOM = yaml.safe_load((pathlib.Path(__file__).parent / "custom_resources.yaml").read_text())

# The kinds of volumes that the restricted standard allows.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", MODES)
def test_manifests_are_valid(name, version):
    for manifest in mode(name, kubernetes=version):
        custom = CUSTOM.get(f"{manifest['apiVersion']}/{manifest['kind']}")
        if custom is None:
            kubernetes_validate.validate(manifest, version, strict=True)
        else:
            jsonschema.validate(manifest["metadata"], CUSTOM["definitions"]["metadata"])
            jsonschema.validate(manifest["spec"], custom)
        for key, value in manifest["metadata"]["labels"].items():
            assert re.fullmatch(r"([a-z0-9.-]+/)?[A-Za-z0-9._-]{1,63}", key) and re.fullmatch(r"[A-Za-z0-9._-]{0,63}", value)
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", manifest["metadata"]["name"])


@pytest.mark.parametrize("name", MODES)
def test_pods_are_restricted(name):
    specs = [spec for spec in map(pod_spec, mode(name)) if spec]
    assert specs
    for spec in specs:
        of_pod = spec["securityContext"]
        assert of_pod["runAsNonRoot"] is True and of_pod["runAsUser"] != 0
        assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not of_pod.get("sysctls")
        assert not any(spec.get(field) for field in ("hostNetwork", "hostPID", "hostIPC"))
        for volume in spec.get("volumes", []):
            assert set(volume) - {"name"} <= VOLUMES, volume
        for container in spec["containers"] + spec.get("initContainers", []):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert not context.get("privileged") and context.get("runAsUser") != 0 and context.get("runAsNonRoot", True)
            assert not any(port.get("hostPort") for port in container.get("ports", []))
            # More than the standard asks for.
            assert context["readOnlyRootFilesystem"] is True
            assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
        assert spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", MODES)
def test_every_mount_has_its_volume_and_every_file_its_mount(name):
    for spec in filter(None, map(pod_spec, mode(name))):
        volumes = [volume["name"] for volume in spec.get("volumes", [])]
        (container,) = spec["containers"]
        mounts = container.get("volumeMounts", [])
        assert sorted(volumes) == sorted(mount["name"] for mount in mounts)
        paths = [mount["mountPath"] for mount in mounts]
        for entry in container.get("env", []):
            for path in re.findall(r"(?:^|[=:])(/(?:data|etc)/[^&]*)", entry.get("value", "")):
                assert any(path.startswith(mount + "/") for mount in paths), path


def test_the_dashboard_is_well_formed():
    dashboard = json.loads((CHART / "dashboards/pedigree.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        assert panel["description"] and panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert target["expr"].count("(") == target["expr"].count(")")
            assert 'namespace=~"$namespace", pod=~"$pod"' in target["expr"]
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) - {"__rate_interval"}
    assert used <= variables
