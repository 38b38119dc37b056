"""Sends many small messages on one stream of Record, as fast as the client can.

Checks that each is answered.

python fast_record.py HOST:PORT COUNT

The stubs are those of examples/python, which must be on the path.
"""

import sys

import grpc

from pedigree.lineage.v1.lineage_service_pb2_grpc import LineageServiceStub
from pedigree.lineage.v1.record_pb2 import CREATE, RecordRequest, RunEvent

RUNS = 100


def messages(count):
    for number in range(count):
        name = str(number % RUNS)
        run = RunEvent(event_type=RunEvent.RUNNING, type_policy=CREATE, type="python", name=name)
        yield RecordRequest(id=f"python {number}", run=run)


def main():
    address, count = sys.argv[1], int(sys.argv[2])
    with grpc.insecure_channel(address) as channel:
        answered = 0
        for number, response in enumerate(LineageServiceStub(channel).Record(messages(count))):
            if response.id != f"python {number}" or response.HasField("refused"):
                sys.exit(f"message {number}: {response}")
            answered += 1
    if answered != count:
        sys.exit(f"{answered} of {count} answered")
    print(f"{count} messages answered")


if __name__ == "__main__":
    main()
