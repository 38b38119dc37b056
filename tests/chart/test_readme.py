"""The chart's README says what values.yaml says."""

import re

import yaml
from helm import CHART, documents
from readme import README, undocumented, with_table


def test_the_table_of_values_is_the_one_of_values_yaml():
    readme = README.read_text()
    assert readme == with_table(readme), "run tests/chart/readme.py"
    assert undocumented() == []


def test_every_example_renders(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "values.yaml").write_text(block)
        assert documents("--values", tmp_path / "values.yaml"), block


def test_the_schema_knows_the_values_and_no_others():
    """The schema has every value of values.yaml; the other way round nothing could be set that does nothing."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(part, value, path):
        if part.get("additionalProperties") is not False:
            return
        known = {name for name, value in part["properties"].items() if not value.get("deprecated")}
        known -= {"global"} if not path else set()
        assert known == set(value), path
        for key in known:
            if isinstance(value[key], dict):
                compare(part["properties"][key], value[key], f"{path}.{key}")

    compare(schema, defaults, "")
