#!/usr/bin/env python3
"""Runs the test file that ships inside the ml-metadata wheel against a server over gRPC.

The server must be on a fresh database: external ids, some URIs and the nodes of the filter tests are constants of the file, so a second
run on the same store fails. Four tests call a helper of the file wrongly and cannot pass over gRPC against any server; `--patched` (the
default) mends those calls in a copy, `--unpatched` runs the file as it is and expects exactly these four to fail.

    upstream_tests.py --port 8080
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from collections import Counter

from ml_metadata.metadata_store import metadata_store

BROKEN_UPSTREAM = {
    "test_connection_config_with_grpc_max_receive_message_length",
    "test_connection_config_with_grpc_max_receive_message_length_errors",
    "test_connection_config_with_grpc_http2_max_ping_strikes",
    "test_connection_config_with_grpc_client_timeout_sec_errors",
}
REPLACEMENTS = (("self.self.cli_args, ", "self.cli_args, "), ("_get_metadata_store(grpc_", "_get_metadata_store(self.cli_args, grpc_"))
EXPECTED = {True: Counter(passed=106, xfailed=2), False: Counter(passed=102, failed=4, xfailed=2)}


def copy_tests(directory, patched):
    """Copies the two files out of the installed wheel; returns the path of the test file."""
    source = pathlib.Path(metadata_store.__file__).parent
    shutil.copy(source / "conftest.py", directory)
    text = (source / "metadata_store_test.py").read_text(encoding="utf-8")
    for wrong, right in REPLACEMENTS if patched else ():
        text = text.replace(wrong, right)
    target = directory / "metadata_store_test.py"
    target.write_text(text, encoding="utf-8")
    return target


def outcome_of(case):
    if case.find("failure") is not None:
        return "failed"
    if case.find("error") is not None:
        return "error"
    skipped = case.find("skipped")
    if skipped is None:
        return "passed"
    return "xfailed" if skipped.get("type") == "pytest.xfail" else "skipped"


def run(port, patched):
    """Returns {test name: outcome}."""
    with tempfile.TemporaryDirectory(prefix="mlmd-tests-") as name:
        directory = pathlib.Path(name)
        report = directory / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-c", "/dev/null"]
        command += ["--rootdir", name, f"--junitxml={report}", str(copy_tests(directory, patched))]
        command += ["--use_grpc_backend", "--grpc_host", "127.0.0.1", "--grpc_port", str(port)]
        subprocess.run(command, check=False)
        return {case.get("name"): outcome_of(case) for case in xml.parse(report).iter("testcase")}


def main():
    parser = argparse.ArgumentParser(description="Run the wheel's own tests against a server on a fresh database.")
    parser.add_argument("--port", type=int, required=True)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--patched", dest="patched", action="store_true", default=True, help="mend four broken tests (default)")
    which.add_argument("--unpatched", dest="patched", action="store_false", help="run the file as it ships")
    arguments = parser.parse_args()

    outcomes = run(arguments.port, arguments.patched)
    counts = Counter(outcomes.values())
    failed = {name for name, outcome in outcomes.items() if outcome == "failed"}
    expected_failures = set() if arguments.patched else BROKEN_UPSTREAM
    as_expected = counts == EXPECTED[arguments.patched] and failed == expected_failures
    for name in sorted(failed ^ expected_failures):
        print("unexpectedly", outcomes.get(name, "missing"), name)
    print("outcome:", ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    print("as expected" if as_expected else "NOT as expected")
    return 0 if as_expected else 1


if __name__ == "__main__":
    sys.exit(main())
