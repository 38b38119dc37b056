#!/usr/bin/env python3
"""Writes the wheel's own descriptors of metadata_store.proto and metadata_store_service.proto to standard output, as one binary
FileDescriptorSet. Our .proto files must compile to the same messages, fields, numbers and defaults."""
import sys

from google.protobuf import descriptor_pb2
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2


def main():
    files = descriptor_pb2.FileDescriptorSet()
    for module in (metadata_store_pb2, metadata_store_service_pb2):
        files.file.add().ParseFromString(module.DESCRIPTOR.serialized_pb)
    sys.stdout.buffer.write(files.SerializeToString())


if __name__ == "__main__":
    main()
