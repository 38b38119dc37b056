"""Records the training of a toy model, loses its connection on purpose, resumes, and prints where the result came from.

python train.py 127.0.0.1:8080 [SUFFIX]
"""

import queue
import sys
import time

import grpc

from ml_metadata.proto.metadata_store_pb2 import Event, Value
from pedigree.lineage.v1.lineage_service_pb2_grpc import LineageServiceStub
from pedigree.lineage.v1.record_pb2 import CREATE, ArtifactRef, ContextRef, RecordRequest, RunEvent
from pedigree.lineage.v1.trace_pb2 import TraceRequest


class Recorder:
    """Sends events, and keeps each of them until the server has answered that it is stored."""

    def __init__(self, service):
        self.service = service
        self.pending = {}  # by id, in the order in which they were sent
        self.recorded = {}  # by id, what the server answered
        self.connect()

    def connect(self):
        """Opens a stream and sends on it what has no answer yet."""
        self.outbox = queue.SimpleQueue()
        self.stream = self.service.Record(iter(self.outbox.get, None))
        for request in self.pending.values():
            self.outbox.put(request)

    def send(self, request):
        self.pending[request.id] = request
        self.outbox.put(request)

    def receive(self):
        """Waits for the next answer. They come in the order of the requests."""
        answer = next(self.stream)
        request = self.pending.pop(answer.id)
        if answer.HasField("refused"):
            raise RuntimeError(f"{request.id}: {answer.refused.message}")
        if self.recorded.setdefault(answer.id, answer.run) != answer.run:
            raise RuntimeError(f"{request.id} was stored twice")
        return answer

    def lose(self):
        self.stream.cancel()
        self.close()

    def close(self):
        """Says that no more events come."""
        self.outbox.put(None)


def toy_pipeline(suffix):
    """The events of three runs: a transformation of two datasets, a training and an evaluation."""

    def artifact(type_name, name, key, **properties):
        path = Event.Path(steps=[Event.Path.Step(key=key)])
        return ArtifactRef(type=type_name, name=name, path=path, properties=properties)

    def event(event_type, type_name, name, **more):
        return RecordRequest(
            id=f"toy{suffix}/{name}/{RunEvent.Type.Name(event_type)}",
            event_time=time.time_ns() // 1_000_000,
            run=RunEvent(event_type=event_type, type_policy=CREATE, type=type_name, name=name + suffix, contexts=[pipeline_run], **more),
        )

    pipeline = ContextRef(type="toy.Pipeline", name="toy")
    pipeline_run = ContextRef(type="toy.PipelineRun", name="toy" + suffix, parents=[pipeline])
    images = artifact("toy.Dataset", "images", "images", rows=Value(int_value=60_000))
    labels = artifact("toy.Dataset", "labels", "labels", rows=Value(int_value=60_000))
    examples = artifact("toy.Examples", "examples" + suffix, "examples")
    model = artifact("toy.Model", "model" + suffix, "model")
    metrics = artifact("toy.Metrics", "metrics" + suffix, "metrics", accuracy=Value(double_value=0.9375))
    parameters = {"epochs": Value(int_value=3), "learning_rate": Value(double_value=0.01)}
    loss = {"loss": Value(double_value=0.25)}
    return [
        event(RunEvent.START, "toy.Transform", "transform", inputs=[images, labels]),
        event(RunEvent.COMPLETE, "toy.Transform", "transform", outputs=[examples]),
        event(RunEvent.START, "toy.Train", "train", inputs=[examples], properties=parameters),
        event(RunEvent.COMPLETE, "toy.Train", "train", outputs=[model], custom_properties=loss),
        event(RunEvent.START, "toy.Evaluate", "evaluate", inputs=[examples, model]),
        event(RunEvent.COMPLETE, "toy.Evaluate", "evaluate", outputs=[metrics]),
    ]


def print_provenance(service, artifact_id, suffix):
    """Prints where an artifact came from: each node below what was made with it, or what it made."""
    nodes, sources = {}, {}
    for found in service.Trace(TraceRequest(direction=TraceRequest.PROVENANCE, artifact_ids=[artifact_id])):
        for kind, several in [("artifact", found.artifacts), ("execution", found.executions)]:
            for node in several:
                nodes[kind, node.id] = (found.hop, f"{node.type} {node.name.removesuffix(suffix)}")
        for event in found.events:
            ends = [("artifact", event.artifact_id), ("execution", event.execution_id)]
            source, target = ends if event.type == Event.INPUT else reversed(ends)
            sources.setdefault(target, []).append(source)
    seen = set()

    def draw(node, indent):
        hop, text = nodes[node]
        again = node in seen
        seen.add(node)
        print(f"{indent}{text} (hop {hop}){', as above' if again else ''}")
        if not again:
            for source in sorted(sources.get(node, []), key=nodes.get):
                draw(source, indent + "  ")

    draw(("artifact", artifact_id), "")


def main(address, suffix=""):
    with grpc.insecure_channel(address) as channel:
        service = LineageServiceStub(channel)
        recorder = Recorder(service)
        events = toy_pipeline(suffix)

        for request in events[:4]:
            recorder.send(request)
        recorder.receive()
        recorder.lose()
        print(f"sent 4 events, lost the connection with {len(recorder.pending)} unanswered")

        recorder.connect()
        for request in events[4:]:
            recorder.send(request)
        while recorder.pending:
            recorder.receive()
        print(f"connected again, sent those and 2 more: {len(recorder.recorded)} stored")

        for request in events:
            recorder.send(request)
        repeated = sum(recorder.receive().repeated for _ in events)
        print(f"sent all 6 again: {repeated} were known already, none is stored twice")
        recorder.close()

        print("where the metrics of the model came from:")
        print_provenance(service, recorder.recorded[events[-1].id].output_ids[0], suffix)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python train.py HOST:PORT [SUFFIX]")
    main(*sys.argv[1:])
