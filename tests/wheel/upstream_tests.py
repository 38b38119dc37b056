#!/usr/bin/env python3
"""Runs the test file that ships inside the ml-metadata wheel against a server over gRPC.

The server must be on a fresh database: external ids, some URIs and the nodes of the filter tests are constants of the file, so a second
run on the same store fails. Four tests call a helper of the file wrongly and cannot pass over gRPC against any server; `--patched` (the
default) mends those calls in a copy, `--unpatched` runs the file as it is and expects exactly these four to fail.

    upstream_tests.py --port 8080

`--every N` runs the first of each N tests only, which must pass. With `--ca FILE` the copy connects with TLS, and trusts the authorities of that file; with
`--certificate FILE --key FILE` it shows a certificate. The file of tests has no options for these.
"""
import argparse
import pathlib
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
SSL = "    grpc_connection_config.ssl_config.{} = open({!r}).read()\n"
CONNECT = "    return mlmd.MetadataStore(grpc_connection_config)\n"
EXPECTED = {True: Counter(passed=106, xfailed=2), False: Counter(passed=102, failed=4, xfailed=2)}


SOME = """

def pytest_collection_modifyitems(items):
    items[:] = items[::{}]
"""


def copy_tests(directory, arguments):
    """Copies the two files out of the installed wheel; returns the path of the test file."""
    source = pathlib.Path(metadata_store.__file__).parent
    (directory / "conftest.py").write_text((source / "conftest.py").read_text(encoding="utf-8") + SOME.format(arguments.every))
    text = (source / "metadata_store_test.py").read_text(encoding="utf-8")
    for wrong, right in REPLACEMENTS if arguments.patched else ():
        text = text.replace(wrong, right)
    files = {"custom_ca": arguments.ca, "server_cert": arguments.certificate, "client_key": arguments.key}
    lines = [SSL.format(field, file) for field, file in files.items() if file]
    if lines:
        assert text.count(CONNECT) == 1
        text = text.replace(CONNECT, "".join([*lines, CONNECT]))
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


def run(arguments):
    """Returns {test name: outcome}."""
    with tempfile.TemporaryDirectory(prefix="mlmd-tests-") as name:
        directory = pathlib.Path(name)
        report = directory / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-c", "/dev/null"]
        command += ["--rootdir", name, f"--junitxml={report}", str(copy_tests(directory, arguments))]
        command += ["--use_grpc_backend", "--grpc_host", arguments.host, "--grpc_port", str(arguments.port)]
        subprocess.run(command, check=False)
        return {case.get("name"): outcome_of(case) for case in xml.parse(report).iter("testcase")}


def main():
    parser = argparse.ArgumentParser(description="Run the wheel's own tests against a server on a fresh database.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="name of the server")
    parser.add_argument("--ca", help="connect with TLS; a file with the authorities to trust")
    parser.add_argument("--certificate", help="certificate to show, a file")
    parser.add_argument("--key", help="private key of that certificate, a file")
    parser.add_argument("--every", type=int, default=1, help="run one test in so many")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--patched", dest="patched", action="store_true", default=True, help="mend four broken tests (default)")
    which.add_argument("--unpatched", dest="patched", action="store_false", help="run the file as it ships")
    arguments = parser.parse_args()

    outcomes = run(arguments)
    counts = Counter(outcomes.values())
    failed = {name for name, outcome in outcomes.items() if outcome == "failed"}
    expected_failures = set() if arguments.patched else BROKEN_UPSTREAM
    if arguments.every > 1:
        expected_failures &= set(outcomes)
        all_of_them = range(0, sum(EXPECTED[arguments.patched].values()), arguments.every)
        counts_as_expected = len(outcomes) == len(all_of_them) and not counts["error"] and not counts["skipped"]
    else:
        counts_as_expected = counts == EXPECTED[arguments.patched]
    as_expected = counts_as_expected and failed == expected_failures
    for name in sorted(failed ^ expected_failures):
        print("unexpectedly", outcomes.get(name, "missing"), name)
    print("outcome:", ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    print("as expected" if as_expected else "NOT as expected")
    return 0 if as_expected else 1


if __name__ == "__main__":
    sys.exit(main())
