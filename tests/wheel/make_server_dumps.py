#!/usr/bin/env python3
"""Writes tests/data/schema/mysql/ and postgres/: the store of make_schema_dumps.py as the wheel keeps it in these databases.

    v10.sql             a store with rows in every table
    vN.sql              what the wheel's downgrade makes of v10.sql
    vN_upgraded.sql     what the wheel's upgrade to version 10 makes of vN.sql, with old_rows.sql added before version 8

PostgreSQL has version 10 and 9 only: the wheel's steps do not work there. Needs mariadb, mariadb-dump, psql and pg_dump, and the two
variables that tests/databases sets. Running it again gives the same files. The tests of src/storage/migrate/ load them.
"""
import os
import re
import subprocess
from itertools import groupby
from urllib.parse import urlsplit

from interchange import downgrade, upgrade
from make_schema_dumps import FACTS, LATEST, OUT, fill
from oracle import Core
from oracle import database as connection

NAME = "pedigree_dump"
WIDEST = (1 << 31) - 1  # the wheel's columns have 32 bits here
# Statements about the session, which belong to the program that would load the dump; psql's own
# commands.
NOISE = re.compile(r"(SET |/\*[!M]|\\|SELECT pg_catalog\.set_config)")


class MySql:
    folder = OUT / "mysql"

    def __init__(self):
        self.url = urlsplit(os.environ["PEDIGREE_TEST_MYSQL_URL"])
        self.login = ["--no-defaults", f"-h{self.url.hostname}", f"-P{self.url.port}", f"-u{self.url.username}", f"-p{self.url.password}"]

    def create(self):
        self.drop()
        self.run(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "mysql")

    def run(self, script, database=NAME):
        text = script.encode()
        subprocess.run(["mariadb", *self.login, "--default-character-set=utf8mb4", database], input=text, check=True)

    def config(self):
        return connection(self.url._replace(path=f"/{NAME}").geturl())

    def dump(self):
        options = ["--compact", "--hex-blob", "--skip-extended-insert", "--order-by-primary", "--default-character-set=utf8mb4"]
        return subprocess.run(["mariadb-dump", *self.login, *options, NAME], stdout=subprocess.PIPE, check=True).stdout.decode()

    def drop(self):
        self.run(f"DROP DATABASE IF EXISTS {NAME}", "mysql")


class Postgres:
    folder = OUT / "postgres"

    def __init__(self):
        self.url = urlsplit(os.environ["PEDIGREE_TEST_POSTGRES_URL"])

    def create(self):
        self.drop()
        self.run(f"CREATE DATABASE {NAME}", "postgres")

    def at(self, database):
        return self.url._replace(path=f"/{database}").geturl()

    def run(self, script, database=NAME):
        command = ["psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, self.at(database)]
        subprocess.run(command, input=script.encode(), check=True)

    def config(self):
        return connection(self.at(NAME))

    def dump(self):
        options = ["--inserts", "--no-owner", "--no-privileges"]
        return subprocess.run(["pg_dump", *options, self.at(NAME)], stdout=subprocess.PIPE, check=True).stdout.decode()

    def drop(self):
        self.run(f"SET client_min_messages = error; DROP DATABASE IF EXISTS {NAME}", "postgres")


def write(server, name):
    lines = [line for line in server.dump().splitlines() if line and not line.startswith("--") and not NOISE.match(line)]
    (server.folder / f"{name}.sql").write_text("\n".join(sort_properties(lines)) + "\n", encoding="utf-8")


def sort_properties(lines):
    """Rows of property tables in one order; the wheel inserts them in that of a hash map."""

    def table(line):
        found = re.match(r"INSERT INTO (?:`|public\.)(\w+property)\b", line, re.IGNORECASE)
        return found and found[1]

    return [line for name, group in groupby(lines, table) for line in (sorted(group) if name else group)]


def main():
    for server, oldest in ((MySql(), 0), (Postgres(), LATEST - 1)):
        server.folder.mkdir(exist_ok=True)
        server.create()
        fill(Core(server.config()), WIDEST)
        server.run(FACTS)
        write(server, f"v{LATEST}")
        for version in range(oldest, LATEST):
            server.create()
            server.run((server.folder / f"v{LATEST}.sql").read_text(encoding="utf-8"))
            downgrade(server.config(), version)
            write(server, f"v{version}")
            if version < 8:
                server.run((OUT / "old_rows.sql").read_text(encoding="utf-8"))
            upgrade(server.config())
            write(server, f"v{version}_upgraded")
        server.drop()


if __name__ == "__main__":
    main()
