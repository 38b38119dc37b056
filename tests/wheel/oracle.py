#!/usr/bin/env python3
"""The reference implementation behind one small interface.

`Core` calls the C++ core of the released ml-metadata wheel inside this process; `Remote` calls any server of
`ml_metadata.MetadataStoreService` over gRPC. Both answer `call(method, request)` with an `Answer`, so a test does not know which of the
two it talks to. A request is a protobuf message or raw bytes: bytes are sent as they are, which lets a test send what no client library
would encode.

Run as a script it serves a `Core` over gRPC, to check the tests themselves against the reference:

    oracle.py --port 18080                        one store in memory
    oracle.py --port 18080 --url URL              a database
"""
import argparse
import os
import threading
from concurrent import futures
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

os.environ.setdefault("GLOG_minloglevel", "3")  # read by the wheel's core when it is loaded

import grpc
from google.protobuf import text_format
from google.protobuf.message import Message
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as core
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

DESCRIPTOR = service.DESCRIPTOR.services_by_name["MetadataStoreService"]
METHODS = tuple(method.name for method in DESCRIPTOR.methods)
CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 1 << 20)]
OK, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, UNIMPLEMENTED, INTERNAL = 0, 3, 5, 6, 12, 13


class Answer(NamedTuple):
    """What a call came to. `response` is None unless `code` is 0."""

    code: int
    message: str
    response: Message | None

    def __str__(self):
        if self.code:
            return f"{CODE_NAMES[self.code]}: {self.message}"
        return "OK " + text_format.MessageToString(self.response, as_utf8=True, as_one_line=True)


class CallFailed(Exception):
    """Raised by `ok` for an answer that is not OK."""


def request_class(method):
    return getattr(service, method + "Request")


def response_class(method):
    return getattr(service, method + "Response")


def fake_database():
    """A ConnectionConfig for a store in memory."""
    config = pb.ConnectionConfig()
    config.fake_database.SetInParent()
    return config


def sqlite_file(path):
    """A ConnectionConfig for a SQLite file, created when it is missing."""
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return config


def database(url):
    """A ConnectionConfig for a URL as the server takes it; what a database lacks is created."""
    if url.startswith("sqlite:"):
        return sqlite_file(url.removeprefix("sqlite:"))
    parts, config = urlsplit(url), pb.ConnectionConfig()
    name, user, password = (unquote(part or "") for part in (parts.path[1:], parts.username, parts.password))
    if parts.scheme == "mysql":
        config.mysql.MergeFrom(pb.MySQLDatabaseConfig(host=parts.hostname, port=parts.port or 3306, database=name, user=user, password=password))
    else:
        port = str(parts.port or 5432)
        config.postgresql.MergeFrom(pb.PostgreSQLDatabaseConfig(host=parts.hostname, port=port, dbname=name, user=user, password=password))
    return config


class Caller:
    """What both sides share: keyword calls that must succeed."""

    def call(self, method, request):
        raise NotImplementedError

    def ok(self, method, **fields):
        """Calls `method` with a request of these fields and returns the response; anything but OK raises."""
        answer = self.call(method, request_class(method)(**fields))
        if answer.code:
            raise CallFailed(f"{method}: {answer}")
        return answer.response


class Core(Caller):
    """The wheel's store in this process."""

    def __init__(self, connection_config, migration_options=None):
        options = migration_options or pb.MigrationOptions()
        self._store = core.CreateMetadataStore(connection_config.SerializeToString(), options.SerializeToString())
        self._lock = threading.Lock()

    def call_bytes(self, method, request):
        """Calls with an encoded request; answers (code, message, encoded response)."""
        bound = getattr(core, method, None)
        if bound is None:
            return UNIMPLEMENTED, "", b""
        with self._lock:
            response, message, code = bound(self._store, request)
        return code, message.decode("utf-8", "replace"), response

    def call(self, method, request):
        encoded = request if isinstance(request, bytes) else request.SerializeToString()
        code, message, response = self.call_bytes(method, encoded)
        return Answer(code, message, None if code else response_class(method).FromString(response))


class Remote(Caller):
    """A server on 127.0.0.1."""

    def __init__(self, port):
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=UNLIMITED)
        self._methods = {name: self._channel.unary_unary(f"/{DESCRIPTOR.full_name}/{name}") for name in METHODS}
        grpc.channel_ready_future(self._channel).result(timeout=30)

    def call(self, method, request):
        encoded = request if isinstance(request, bytes) else request.SerializeToString()
        try:
            response = self._methods[method](encoded, timeout=120)
        except grpc.RpcError as error:
            return Answer(error.code().value[0], error.details() or "", None)
        return Answer(OK, "", response_class(method).FromString(response))


def serve(port, connection_config):
    """Serves a `Core` until the process is ended."""
    store = Core(connection_config)
    status = {code.value[0]: code for code in grpc.StatusCode}

    def handler(method):
        def run(request, context):
            code, message, response = store.call_bytes(method, request)
            if code:
                context.abort(status[code], message)
            return response

        return grpc.unary_unary_rpc_method_handler(run)

    server = grpc.server(futures.ThreadPoolExecutor(4), options=UNLIMITED + [("grpc.so_reuseport", 0)])
    handlers = {name: handler(name) for name in METHODS}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(DESCRIPTOR.full_name, handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print(f"ready on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


def main():
    parser = argparse.ArgumentParser(description="Serve the wheel's own core over gRPC on 127.0.0.1.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--url", help="the database (default: in memory)")
    arguments = parser.parse_args()
    serve(arguments.port, database(arguments.url) if arguments.url else fake_database())


if __name__ == "__main__":
    main()
