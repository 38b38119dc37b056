"""What can be told of the image without building it."""

import json
import re
import subprocess

import pytest
from helm import MODES, REPOSITORY, container, mode, one

# One instruction a line.
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text().replace("\\\n", "")


def instructions(word):
    return re.findall(rf"^{word} (.*)$", DOCKERFILE, re.MULTILINE)


def test_it_is_built_with_a_rust_that_is_new_enough():
    needed = re.search(r'^rust-version = "(.*)"$', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)[1]
    used = re.search(r"rust:([\d.]+)-", DOCKERFILE)[1]
    assert [int(part) for part in used.split(".")] >= [int(part) for part in needed.split(".")]


def test_it_is_built_from_what_is_sent_and_nothing_else_is_sent():
    copied = [source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]]
    assert all((REPOSITORY / source).exists() for source in copied)
    ignore = (REPOSITORY / ".dockerignore").read_text().split("\n")
    assert sorted(line[1:] for line in ignore if line.startswith("!")) == sorted(copied)


@pytest.mark.parametrize(
    ("environment", "further", "expected"),
    [
        ({}, [], ["--grpc_port=8080", "--metadata_store_server_config_file="]),
        (
            {"GRPC_PORT": "9000", "METADATA_STORE_SERVER_CONFIG_FILE": "/etc/a b.proto"},
            ["--enable_database_upgrade=true", "--mysql_config_password=a 'b' $c"],
            [
                "--grpc_port=9000",
                "--metadata_store_server_config_file=/etc/a b.proto",
                "--enable_database_upgrade=true",
                "--mysql_config_password=a 'b' $c",
            ],
        ),
    ],
)
def test_its_default_command_is_the_one_of_upstream(environment, further, expected, tmp_path):
    defaults = dict(re.findall(r'(\w+)="?([^" ]*)"?', instructions("ENV")[0]))
    program = tmp_path / "metadata_store_server"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    (entry,) = instructions("ENTRYPOINT")
    command = [word.replace("/bin/metadata_store_server", str(program)) for word in json.loads(entry)]
    done = subprocess.run(command + further, env={**defaults, **environment}, capture_output=True, text=True)
    assert done.stdout.splitlines() == expected, done.stderr


@pytest.mark.parametrize("name", MODES)
def test_the_chart_runs_what_is_in_it(name):
    server = container(one(mode(name), "Deployment"))
    assert server["command"][0] in ("/bin/pedigree", "/bin/metadata_store_server")
    assert "ln -s pedigree /bin/metadata_store_server" in DOCKERFILE
    assert instructions("USER") == ["1000:0"] and instructions("WORKDIR")[-1] == "/data"
    assert str(server["ports"][0]["containerPort"]) in instructions("EXPOSE")
