"""Where the targets of lineage come from."""

import pytest
from helm import MODES, mode
from test_security import server

PLACE = "/etc/pedigree/lineage"


@pytest.mark.parametrize("name", sorted(MODES))
def test_without_a_secret_there_are_none(name):
    env, mounts, volumes = server(mode(name))
    assert "PEDIGREE_OPENLINEAGE_TARGETS" not in env
    assert "lineage" not in mounts.keys() | volumes.keys()


@pytest.mark.parametrize("name", sorted(MODES))
def test_a_secret_has_the_file_and_what_it_names(name):
    env, mounts, volumes = server(mode(name, "--set", "lineage.existingSecret=s"))
    assert env["PEDIGREE_OPENLINEAGE_TARGETS"] == f"{PLACE}/targets.toml"
    assert mounts["lineage"] == PLACE
    assert volumes["lineage"]["secret"] == {"secretName": "s", "defaultMode": 0o440}
