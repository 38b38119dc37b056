package pedigree.example;

import io.grpc.StatusException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import ml_metadata.MetadataStore.Artifact;
import ml_metadata.MetadataStore.Event;
import ml_metadata.MetadataStore.Execution;
import pedigree.lineage.v1.LineageServiceGrpc.LineageServiceBlockingV2Stub;
import pedigree.lineage.v1.Trace.TraceRequest;
import pedigree.lineage.v1.Trace.TraceResponse;

/** Where an artifact came from. */
final class Provenance {
  private final String suffix;
  private final Map<Long, Node> artifacts = new HashMap<>();
  private final Map<Long, Node> executions = new HashMap<>();

  Provenance(String suffix) {
    this.suffix = suffix;
  }

  /** An artifact or an execution, with what it comes from. */
  static final class Node {
    private final long hop;
    private final String text;
    private final List<Node> sources = new ArrayList<>();
    private boolean drawn;

    private Node(long hop, String text) {
      this.hop = hop;
      this.text = text;
    }

    /** Prints each node below what was made with it, or what it made. */
    void draw(String indent) {
      System.out.printf("%s%s (hop %d)%s%n", indent, text, hop, drawn ? ", as above" : "");
      if (drawn) {
        return;
      }
      drawn = true;
      sources.sort(Comparator.<Node>comparingLong(node -> node.hop).thenComparing(node -> node.text));
      sources.forEach(source -> source.draw(indent + "  "));
    }
  }

  Node of(long artifactId, LineageServiceBlockingV2Stub service) throws InterruptedException, StatusException {
    var request =
        TraceRequest.newBuilder()
            .setDirection(TraceRequest.Direction.PROVENANCE)
            .addArtifactIds(artifactId)
            .build();
    var stream = service.trace(request);
    for (TraceResponse found = stream.read(); found != null; found = stream.read()) {
      for (Artifact artifact : found.getArtifactsList()) {
        artifacts.put(artifact.getId(), node(found.getHop(), artifact.getType(), artifact.getName()));
      }
      for (Execution execution : found.getExecutionsList()) {
        executions.put(execution.getId(), node(found.getHop(), execution.getType(), execution.getName()));
      }
      for (Event event : found.getEventsList()) {
        Node artifact = artifacts.get(event.getArtifactId());
        Node execution = executions.get(event.getExecutionId());
        if (event.getType() == Event.Type.OUTPUT) {
          artifact.sources.add(execution);
        } else {
          execution.sources.add(artifact);
        }
      }
    }
    return artifacts.get(artifactId);
  }

  private Node node(long hop, String type, String name) {
    String plain = name.endsWith(suffix) ? name.substring(0, name.length() - suffix.length()) : name;
    return new Node(hop, type + " " + plain);
  }
}
