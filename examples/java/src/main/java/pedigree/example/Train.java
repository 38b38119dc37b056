package pedigree.example;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import ml_metadata.MetadataStore.Event.Path;
import ml_metadata.MetadataStore.Value;
import pedigree.lineage.v1.LineageServiceGrpc;
import pedigree.lineage.v1.Record.ArtifactRef;
import pedigree.lineage.v1.Record.ContextRef;
import pedigree.lineage.v1.Record.RecordRequest;
import pedigree.lineage.v1.Record.RunEvent;
import pedigree.lineage.v1.Record.RunEvent.Type;
import pedigree.lineage.v1.Record.TypePolicy;

/** Records the training of a toy model, loses its connection on purpose, resumes, and prints where the result came from. */
final class Train {
  private final String suffix;

  private Train(String suffix) {
    this.suffix = suffix;
  }

  public static void main(String[] arguments) throws InterruptedException, StatusException {
    if (arguments.length != 1 && arguments.length != 2) {
      System.err.println("usage: java -jar target/train.jar HOST:PORT [SUFFIX]");
      System.exit(2);
    }
    ManagedChannel channel = Grpc.newChannelBuilder(arguments[0], InsecureChannelCredentials.create()).build();
    try {
      new Train(arguments.length == 2 ? arguments[1] : "").run(channel);
    } finally {
      channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  private void run(ManagedChannel channel) throws InterruptedException, StatusException {
    var service = LineageServiceGrpc.newBlockingV2Stub(channel);
    var recorder = new Recorder(service);
    List<RecordRequest> events = toyPipeline();

    for (RecordRequest request : events.subList(0, 4)) {
      recorder.send(request);
    }
    recorder.receive();
    recorder.lose();
    System.out.printf("sent 4 events, lost the connection with %d unanswered%n", recorder.pending.size());

    recorder.reconnect();
    for (RecordRequest request : events.subList(4, 6)) {
      recorder.send(request);
    }
    while (!recorder.pending.isEmpty()) {
      recorder.receive();
    }
    System.out.printf("connected again, sent those and 2 more: %d stored%n", recorder.recorded.size());

    int repeated = 0;
    for (RecordRequest request : events) {
      recorder.send(request);
    }
    while (!recorder.pending.isEmpty()) {
      repeated += recorder.receive().getRepeated() ? 1 : 0;
    }
    System.out.printf("sent all 6 again: %d were known already, none is stored twice%n", repeated);
    recorder.close();

    System.out.println("where the metrics of the model came from:");
    long metrics = recorder.recorded.get(events.get(5).getId()).getOutputIds(0);
    new Provenance(suffix).of(metrics, service).draw("");
  }

  /** The events of three runs: a transformation of two datasets, a training and an evaluation. */
  private List<RecordRequest> toyPipeline() {
    ArtifactRef images = artifact("toy.Dataset", "images", "images", Map.of("rows", integer(60_000)));
    ArtifactRef labels = artifact("toy.Dataset", "labels", "labels", Map.of("rows", integer(60_000)));
    ArtifactRef examples = artifact("toy.Examples", "examples" + suffix, "examples", Map.of());
    ArtifactRef model = artifact("toy.Model", "model" + suffix, "model", Map.of());
    ArtifactRef metrics =
        artifact("toy.Metrics", "metrics" + suffix, "metrics", Map.of("accuracy", real(0.9375)));
    return List.of(
        event("transform", start("toy.Transform").addInputs(images).addInputs(labels)),
        event("transform", complete("toy.Transform").addOutputs(examples)),
        event(
            "train",
            start("toy.Train")
                .addInputs(examples)
                .putProperties("epochs", integer(3))
                .putProperties("learning_rate", real(0.01))),
        event("train", complete("toy.Train").addOutputs(model).putCustomProperties("loss", real(0.25))),
        event("evaluate", start("toy.Evaluate").addInputs(examples).addInputs(model)),
        event("evaluate", complete("toy.Evaluate").addOutputs(metrics)));
  }

  private static RunEvent.Builder start(String type) {
    return RunEvent.newBuilder().setEventType(Type.START).setType(type);
  }

  private static RunEvent.Builder complete(String type) {
    return RunEvent.newBuilder().setEventType(Type.COMPLETE).setType(type);
  }

  private RecordRequest event(String name, RunEvent.Builder run) {
    var pipeline = ContextRef.newBuilder().setType("toy.Pipeline").setName("toy");
    var pipelineRun = ContextRef.newBuilder().setType("toy.PipelineRun").setName("toy" + suffix).addParents(pipeline);
    return RecordRequest.newBuilder()
        .setId("toy%s/%s/%s".formatted(suffix, name, run.getEventType()))
        .setEventTime(System.currentTimeMillis())
        .setRun(run.setTypePolicy(TypePolicy.CREATE).setName(name + suffix).addContexts(pipelineRun))
        .build();
  }

  private static ArtifactRef artifact(String type, String name, String key, Map<String, Value> properties) {
    return ArtifactRef.newBuilder()
        .setType(type)
        .setName(name)
        .setPath(Path.newBuilder().addSteps(Path.Step.newBuilder().setKey(key)))
        .putAllProperties(properties)
        .build();
  }

  private static Value integer(long value) {
    return Value.newBuilder().setIntValue(value).build();
  }

  private static Value real(double value) {
    return Value.newBuilder().setDoubleValue(value).build();
  }
}
