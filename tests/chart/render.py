"""Prints what the chart renders as JSON: for a mode of ci/, or for the defaults, and with further arguments of helm.

    target/venv/bin/python tests/chart/render.py mysql --set replicas=3
    target/venv/bin/python tests/chart/render.py defaults
"""

import json
import sys

from helm import documents, mode

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    manifests = documents(*arguments) if name == "defaults" else mode(name, *arguments)
    json.dump(manifests, sys.stdout)
