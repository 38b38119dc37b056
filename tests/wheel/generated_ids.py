"""The counters behind the ids that a database gives out.

PostgreSQL and MySQL use up ids for rows that are rolled back, SQLite does not. `rewind` brings the counters back to the highest ids in
use, so that the store after a refused write gives out the ids that one in SQLite would.
"""
from urllib.parse import unquote, urlsplit

import pg8000.dbapi
import pymysql

TABLES = ("Type", "Artifact", "Execution", "Context")  # of the ids that clients see
HIGHEST = "setval(pg_get_serial_sequence('{0}', 'id'), COALESCE((SELECT MAX(id) FROM {0}), 0) + 1, false)"


class SqliteIds:
    def rewind(self):
        pass


class PostgresIds:
    def __init__(self, place):
        self._connection = pg8000.dbapi.connect(**place)
        self._connection.autocommit = True

    def rewind(self):
        self._connection.cursor().execute("SELECT " + ", ".join(HIGHEST.format(table.lower()) for table in TABLES))


class MySqlIds:
    def __init__(self, place):
        self._connection = pymysql.connect(**place, autocommit=True)

    def rewind(self):
        with self._connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"ALTER TABLE `{table}` AUTO_INCREMENT = 1")  # never less than what is in use


def generated_ids(url):
    """The counters of the database of a URL as the server takes it, which must exist; those of SQLite when there is none."""
    parts = urlsplit(url or "sqlite:")
    if parts.scheme == "sqlite":
        return SqliteIds()
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    place = {"host": parts.hostname, "port": parts.port, "user": user, "password": password, "database": unquote(parts.path[1:])}
    return MySqlIds(place) if parts.scheme == "mysql" else PostgresIds(place)
