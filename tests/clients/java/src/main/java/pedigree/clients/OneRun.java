package pedigree.clients;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.ListValue;
import com.google.protobuf.Message;
import com.google.protobuf.Struct;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import ml_metadata.MetadataStore.Artifact;
import ml_metadata.MetadataStore.ArtifactType;
import ml_metadata.MetadataStore.Context;
import ml_metadata.MetadataStore.ContextType;
import ml_metadata.MetadataStore.Event;
import ml_metadata.MetadataStore.Execution;
import ml_metadata.MetadataStore.ExecutionType;
import ml_metadata.MetadataStore.LineageGraph;
import ml_metadata.MetadataStore.LineageSubgraphQueryOptions;
import ml_metadata.MetadataStore.ListOperationOptions;
import ml_metadata.MetadataStore.PropertyType;
import ml_metadata.MetadataStore.Value;
import ml_metadata.MetadataStoreServiceGrpc;
import ml_metadata.MetadataStoreServiceGrpc.MetadataStoreServiceBlockingStub;
import ml_metadata.MetadataStoreServiceOuterClass.GetArtifactsByIDRequest;
import ml_metadata.MetadataStoreServiceOuterClass.GetArtifactsRequest;
import ml_metadata.MetadataStoreServiceOuterClass.GetContextsByIDRequest;
import ml_metadata.MetadataStoreServiceOuterClass.GetExecutionsByIDRequest;
import ml_metadata.MetadataStoreServiceOuterClass.GetLineageSubgraphRequest;
import ml_metadata.MetadataStoreServiceOuterClass.PutExecutionRequest;
import ml_metadata.MetadataStoreServiceOuterClass.PutExecutionRequest.ArtifactAndEvent;
import ml_metadata.MetadataStoreServiceOuterClass.PutExecutionResponse;
import ml_metadata.MetadataStoreServiceOuterClass.PutTypesRequest;
import ml_metadata.MetadataStoreServiceOuterClass.PutTypesResponse;

/**
 * Registers types, writes one run, reads it back in three ways and checks what it reads.
 *
 * <p>A run is a dataset, the training that used it, the model that came out, and the experiment that all of them belong to.
 */
final class OneRun {
  private static final List<String> OUTPUT_ONLY =
      List.of("type", "create_time_since_epoch", "last_update_time_since_epoch");

  private final MetadataStoreServiceBlockingStub store;
  private Artifact dataset;
  private Artifact model;
  private Execution train;
  private Context experiment;

  public static void main(String[] arguments) throws InterruptedException {
    if (arguments.length != 1) {
      System.err.println("usage: onerun HOST:PORT");
      System.exit(2);
    }
    ManagedChannel channel = Grpc.newChannelBuilder(arguments[0], InsecureChannelCredentials.create()).build();
    try {
      var stub = MetadataStoreServiceGrpc.newBlockingStub(channel).withDeadlineAfter(1, TimeUnit.MINUTES);
      var run = new OneRun(stub, "run-" + Instant.now());
      run.write();
      run.readById();
      run.readByFilter();
      run.readLineage();
      System.out.println(run);
    } finally {
      channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  private OneRun(MetadataStoreServiceBlockingStub store, String name) {
    this.store = store;
    PutTypesResponse types = registerTypes();
    dataset =
        Artifact.newBuilder()
            .setTypeId(types.getArtifactTypeIds(0))
            .setName(name + "/images")
            .setUri("s3://data/images")
            .setState(Artifact.State.LIVE)
            .putProperties("rows", Value.newBuilder().setIntValue(60_000).build())
            .putProperties("labeled", Value.newBuilder().setBoolValue(true).build())
            .build();
    model =
        Artifact.newBuilder()
            .setTypeId(types.getArtifactTypeIds(1))
            .setName(name + "/model")
            .setUri("s3://models/" + name)
            .setState(Artifact.State.LIVE)
            .putProperties("accuracy", Value.newBuilder().setDoubleValue(0.9375).build())
            .putCustomProperties("format", Value.newBuilder().setStringValue("onnx").build())
            .build();
    train =
        Execution.newBuilder()
            .setTypeId(types.getExecutionTypeIds(0))
            .setName(name)
            .setLastKnownState(Execution.State.COMPLETE)
            .putProperties("hyperparameters", Value.newBuilder().setStructValue(hyperparameters()).build())
            .putCustomProperties("commit", Value.newBuilder().setStringValue("9fceb02").build())
            .build();
    experiment =
        Context.newBuilder()
            .setTypeId(types.getContextTypeIds(0))
            .setName(name)
            .putProperties("owner", Value.newBuilder().setStringValue("vision").build())
            .build();
  }

  /** Registers the types, which changes nothing when they are there already. */
  private PutTypesResponse registerTypes() {
    return store.putTypes(
        PutTypesRequest.newBuilder()
            .addArtifactTypes(
                ArtifactType.newBuilder()
                    .setName("Dataset")
                    .putProperties("rows", PropertyType.INT)
                    .putProperties("labeled", PropertyType.BOOLEAN))
            .addArtifactTypes(
                ArtifactType.newBuilder().setName("Model").putProperties("accuracy", PropertyType.DOUBLE))
            .addExecutionTypes(
                ExecutionType.newBuilder().setName("Train").putProperties("hyperparameters", PropertyType.STRUCT))
            .addContextTypes(
                ContextType.newBuilder().setName("Experiment").putProperties("owner", PropertyType.STRING))
            .build());
  }

  private static Struct hyperparameters() {
    ListValue layers =
        ListValue.newBuilder()
            .addValues(com.google.protobuf.Value.newBuilder().setNumberValue(64))
            .addValues(com.google.protobuf.Value.newBuilder().setNumberValue(10))
            .build();
    return Struct.newBuilder()
        .putFields("optimizer", com.google.protobuf.Value.newBuilder().setStringValue("adam").build())
        .putFields("layers", com.google.protobuf.Value.newBuilder().setListValue(layers).build())
        .build();
  }

  /** Puts the whole run at once: the nodes, the events between them, and their places in the experiment. */
  private void write() {
    PutExecutionResponse written =
        store.putExecution(
            PutExecutionRequest.newBuilder()
                .setExecution(train)
                .addArtifactEventPairs(
                    ArtifactAndEvent.newBuilder().setArtifact(dataset).setEvent(event(Event.Type.INPUT, "images")))
                .addArtifactEventPairs(
                    ArtifactAndEvent.newBuilder().setArtifact(model).setEvent(event(Event.Type.OUTPUT, "model")))
                .addContexts(experiment)
                .setOptions(PutExecutionRequest.Options.newBuilder().setReuseContextIfAlreadyExist(true))
                .build());
    dataset = dataset.toBuilder().setId(written.getArtifactIds(0)).build();
    model = model.toBuilder().setId(written.getArtifactIds(1)).build();
    train = train.toBuilder().setId(written.getExecutionId()).build();
    experiment = experiment.toBuilder().setId(written.getContextIds(0)).build();
  }

  private static Event event(Event.Type type, String key) {
    return Event.newBuilder()
        .setType(type)
        .setPath(Event.Path.newBuilder().addSteps(Event.Path.Step.newBuilder().setKey(key)))
        .build();
  }

  private void readById() {
    var artifacts =
        store.getArtifactsByID(
            GetArtifactsByIDRequest.newBuilder()
                .addArtifactIds(dataset.getId())
                .addArtifactIds(model.getId())
                .build());
    var executions =
        store.getExecutionsByID(GetExecutionsByIDRequest.newBuilder().addExecutionIds(train.getId()).build());
    var contexts =
        store.getContextsByID(GetContextsByIDRequest.newBuilder().addContextIds(experiment.getId()).build());
    check(asWritten(artifacts.getArtifactsList()), List.of(dataset, model));
    check(asWritten(executions.getExecutionsList()), List.of(train));
    check(asWritten(contexts.getContextsList()), List.of(experiment));
  }

  private void readByFilter() {
    String query =
        "type = 'Model' AND properties.accuracy.double_value > 0.9 AND contexts_a.name = '%s'"
            .formatted(experiment.getName());
    var found =
        store.getArtifacts(
            GetArtifactsRequest.newBuilder()
                .setOptions(ListOperationOptions.newBuilder().setFilterQuery(query))
                .build());
    check(asWritten(found.getArtifactsList()), List.of(model));
  }

  /** Asks where the model came from. */
  private void readLineage() {
    var options =
        LineageSubgraphQueryOptions.newBuilder().setDirection(LineageSubgraphQueryOptions.Direction.UPSTREAM);
    options.getStartingArtifactsBuilder().setFilterQuery("id = " + model.getId());
    LineageGraph graph =
        store
            .getLineageSubgraph(
                GetLineageSubgraphRequest.newBuilder().setLineageSubgraphQueryOptions(options).build())
            .getLineageSubgraph();
    // The nodes of a graph have only their ids.
    check(
        graph.getArtifactsList().stream().map(Artifact::getId).sorted().toList(),
        List.of(dataset.getId(), model.getId()));
    check(graph.getExecutionsList().stream().map(Execution::getId).toList(), List.of(train.getId()));
    check(graph.getContextsList().stream().map(Context::getId).toList(), List.of(experiment.getId()));
    check(graph.getEventsCount(), 2);
    check(graph.getAttributionsCount(), 2);
    check(graph.getAssociationsCount(), 1);
  }

  /** Takes away what the server adds to each node, which must be there. */
  private static List<Message> asWritten(List<? extends Message> read) {
    return read.stream().map(OneRun::asWritten).toList();
  }

  private static Message asWritten(Message read) {
    Message.Builder rest = read.toBuilder();
    for (String name : OUTPUT_ONLY) {
      FieldDescriptor field = read.getDescriptorForType().findFieldByName(name);
      check(read.hasField(field), true);
      rest.clearField(field);
    }
    return rest.build();
  }

  private static <T> void check(T actual, T expected) {
    if (!expected.equals(actual)) {
      throw new AssertionError("read %s, expected %s".formatted(actual, expected));
    }
  }

  @Override
  public String toString() {
    return "%s: execution %d made model %d from dataset %d"
        .formatted(train.getName(), train.getId(), model.getId(), dataset.getId());
  }
}
