package pedigree.example;

import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import pedigree.lineage.v1.LineageServiceGrpc.LineageServiceBlockingV2Stub;
import pedigree.lineage.v1.Record.RecordRequest;
import pedigree.lineage.v1.Record.RecordResponse;
import pedigree.lineage.v1.Record.RunResult;

/** Sends events, and keeps each of them until the server has answered that it is stored. */
final class Recorder {
  /** By id, in the order in which they were sent. */
  final Map<String, RecordRequest> pending = new LinkedHashMap<>();

  /** By id, what the server answered. */
  final Map<String, RunResult> recorded = new HashMap<>();

  private final LineageServiceBlockingV2Stub service;
  private BlockingClientCall<RecordRequest, RecordResponse> stream;

  Recorder(LineageServiceBlockingV2Stub service) {
    this.service = service;
    this.stream = service.record();
  }

  /** Opens a new stream and sends on it what has no answer yet. */
  void reconnect() throws InterruptedException, StatusException {
    stream = service.record();
    for (RecordRequest request : pending.values()) {
      stream.write(request);
    }
  }

  void send(RecordRequest request) throws InterruptedException, StatusException {
    pending.put(request.getId(), request);
    stream.write(request);
  }

  /** Waits for the next answer. They come in the order of the requests. */
  RecordResponse receive() throws InterruptedException, StatusException {
    RecordResponse answer = stream.read();
    if (answer == null) {
      throw new IllegalStateException("the server ended the stream");
    }
    String id = answer.getId();
    pending.remove(id);
    if (answer.hasRefused()) {
      throw new IllegalStateException(id + ": " + answer.getRefused().getMessage());
    }
    RunResult earlier = recorded.put(id, answer.getRun());
    if (earlier != null && !earlier.equals(answer.getRun())) {
      throw new IllegalStateException(id + " was stored twice");
    }
    return answer;
  }

  void lose() {
    stream.cancel("lost on purpose", null);
  }

  void close() {
    stream.halfClose();
  }
}
