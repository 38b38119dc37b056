"""The table of values in the chart's README, made from the comments of values.yaml.

    target/venv/bin/python tests/chart/readme.py       writes it
"""

import json
import re

import yaml
from helm import CHART

README = CHART / "README.md"
BEGIN = "| value | default | meaning |\n| --- | --- | --- |\n"


def values():
    """Each value with a comment: its path, default and meaning, in order."""
    text = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    path, comment = [], []
    for line in text.splitlines():
        if found := re.fullmatch(r" *# ?(.*)", line):
            comment.append(found[1])
            continue
        if found := re.match(r"( *)([A-Za-z_]\w*):", line):
            path = path[: len(found[1]) // 2] + [found[2]]
            if comment:
                default = defaults
                for key in path:
                    default = default[key]
                yield ".".join(path), default, " ".join(comment)
        comment = []


def undocumented():
    """The values without a comment on them or on what they are part of."""
    known = [path for path, _, _ in values()]

    def leaves(tree, path=()):
        for key, value in tree.items():
            here = (*path, key)
            if ".".join(here) in known:
                continue
            if isinstance(value, dict) and value:
                yield from leaves(value, here)
            else:
                yield ".".join(here)

    return list(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))


def table():
    """The table, with its head."""
    rows = []
    for path, default, meaning in values():
        shown = json.dumps(default) if not isinstance(default, str) else default or '""'
        rows.append(f"| `{path}` | `{shown}` | {meaning.replace('|', chr(92) + '|')} |\n")
    return BEGIN + "".join(rows)


def with_table(readme):
    """A README with the table as it must be."""
    before, after = readme.split(BEGIN)
    rest = re.sub(r"\A(\|.*\n)*", "", after)
    return before + table() + rest


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
