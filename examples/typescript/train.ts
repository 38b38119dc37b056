// Records the training of a toy model, loses its connection on purpose, resumes, and prints where the result came from.
//
//   npm start -- 127.0.0.1:8080 [SUFFIX]

import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type ClientDuplexStream, credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { ProtoGrpcType } from "./generated/lineage_service";
import type { Value } from "./generated/ml_metadata/Value";
import type { ArtifactRef } from "./generated/pedigree/lineage/v1/ArtifactRef";
import type { ContextRef } from "./generated/pedigree/lineage/v1/ContextRef";
import type { LineageServiceClient } from "./generated/pedigree/lineage/v1/LineageService";
import type { RecordRequest } from "./generated/pedigree/lineage/v1/RecordRequest";
import type { RecordResponse__Output } from "./generated/pedigree/lineage/v1/RecordResponse";
import type { RunEvent } from "./generated/pedigree/lineage/v1/RunEvent";
import type { RunResult__Output } from "./generated/pedigree/lineage/v1/RunResult";
import type { TraceResponse__Output } from "./generated/pedigree/lineage/v1/TraceResponse";

/** Sends events, and keeps each of them until the server has answered that it is stored. */
class Recorder {
  readonly pending = new Map<string, RecordRequest>(); // By id, in the order in which they were sent.
  readonly recorded = new Map<string, RunResult__Output>(); // By id, what the server answered.
  private stream!: ClientDuplexStream<RecordRequest, RecordResponse__Output>;
  private answers!: AsyncIterator<RecordResponse__Output>;

  constructor(private readonly service: LineageServiceClient) {
    this.connect();
  }

  /** Opens a stream and sends on it what has no answer yet. */
  connect() {
    this.stream = this.service.record();
    this.answers = this.stream[Symbol.asyncIterator]();
    for (const request of this.pending.values()) this.stream.write(request);
  }

  send(request: RecordRequest) {
    this.pending.set(request.id!, request);
    this.stream.write(request);
  }

  /** Waits for the next answer. They come in the order of the requests. */
  async receive(): Promise<RecordResponse__Output> {
    const next = await this.answers.next();
    if (next.done) throw new Error("the server ended the stream");
    const { id, refused, run } = next.value;
    this.pending.delete(id);
    if (refused || !run) throw new Error(`${id}: ${refused?.message}`);
    const earlier = this.recorded.get(id);
    if (earlier && !isDeepStrictEqual(earlier, run)) throw new Error(`${id} was stored twice`);
    this.recorded.set(id, run);
    return next.value;
  }

  lose() {
    this.stream.on("error", () => {}); // It says that it was canceled.
    this.stream.cancel();
  }

  close() {
    this.stream.end();
  }
}

/** The events of three runs: a transformation of two datasets, a training and an evaluation. */
function toyPipeline(suffix: string): RecordRequest[] {
  const pipeline: ContextRef = { type: "toy.Pipeline", name: "toy" };
  const pipelineRun: ContextRef = { type: "toy.PipelineRun", name: `toy${suffix}`, parents: [pipeline] };

  function artifact(type: string, name: string, key: string, properties: Record<string, Value> = {}): ArtifactRef {
    return { type, name, path: { steps: [{ key }] }, properties };
  }
  function event(eventType: "START" | "COMPLETE", type: string, name: string, more: RunEvent): RecordRequest {
    return {
      id: `toy${suffix}/${name}/${eventType}`,
      eventTime: Date.now(),
      run: { eventType, typePolicy: "CREATE", type, name: name + suffix, contexts: [pipelineRun], ...more },
    };
  }

  const images = artifact("toy.Dataset", "images", "images", { rows: { intValue: 60_000 } });
  const labels = artifact("toy.Dataset", "labels", "labels", { rows: { intValue: 60_000 } });
  const examples = artifact("toy.Examples", `examples${suffix}`, "examples");
  const model = artifact("toy.Model", `model${suffix}`, "model");
  const metrics = artifact("toy.Metrics", `metrics${suffix}`, "metrics", { accuracy: { doubleValue: 0.9375 } });
  const parameters = { epochs: { intValue: 3 }, learning_rate: { doubleValue: 0.01 } };
  const loss = { loss: { doubleValue: 0.25 } };
  return [
    event("START", "toy.Transform", "transform", { inputs: [images, labels] }),
    event("COMPLETE", "toy.Transform", "transform", { outputs: [examples] }),
    event("START", "toy.Train", "train", { inputs: [examples], properties: parameters }),
    event("COMPLETE", "toy.Train", "train", { outputs: [model], customProperties: loss }),
    event("START", "toy.Evaluate", "evaluate", { inputs: [examples, model] }),
    event("COMPLETE", "toy.Evaluate", "evaluate", { outputs: [metrics] }),
  ];
}

type Node = { hop: number; text: string; sources: Node[]; drawn: boolean };

/** Prints where an artifact came from: each node below what was made with it, or what it made. */
async function printProvenance(service: LineageServiceClient, artifactId: number, suffix: string) {
  const artifacts = new Map<number, Node>();
  const executions = new Map<number, Node>();
  const trace: AsyncIterable<TraceResponse__Output> = service.trace({ direction: "PROVENANCE", artifactIds: [artifactId] });
  for await (const found of trace) {
    for (const [nodes, several] of [[artifacts, found.artifacts], [executions, found.executions]] as const) {
      for (const { id, type, name } of several) {
        const plain = name!.endsWith(suffix) ? name!.slice(0, name!.length - suffix.length) : name;
        nodes.set(id!, { hop: found.hop, text: `${type} ${plain}`, sources: [], drawn: false });
      }
    }
    for (const event of found.events) {
      const [artifact, execution] = [artifacts.get(event.artifactId!)!, executions.get(event.executionId!)!];
      if (event.type === "OUTPUT") artifact.sources.push(execution);
      else execution.sources.push(artifact);
    }
  }

  function draw(node: Node, indent: string) {
    console.log(`${indent}${node.text} (hop ${node.hop})${node.drawn ? ", as above" : ""}`);
    if (node.drawn) return;
    node.drawn = true;
    node.sources.sort((a, b) => a.hop - b.hop || (a.text < b.text ? -1 : 1));
    for (const source of node.sources) draw(source, indent + "  ");
  }
  draw(artifacts.get(artifactId)!, "");
}

async function main(address: string, suffix = "") {
  const proto = loadSync("pedigree/lineage/v1/lineage_service.proto", {
    includeDirs: [join(__dirname, "../../../proto")],
    longs: Number, // As the types were generated.
    enums: String,
    defaults: true,
    arrays: true,
    oneofs: true,
  });
  const { LineageService } = (loadPackageDefinition(proto) as unknown as ProtoGrpcType).pedigree.lineage.v1;
  const service = new LineageService(address, credentials.createInsecure());
  const recorder = new Recorder(service);
  const events = toyPipeline(suffix);

  for (const request of events.slice(0, 4)) recorder.send(request);
  await recorder.receive();
  recorder.lose();
  console.log(`sent 4 events, lost the connection with ${recorder.pending.size} unanswered`);

  recorder.connect();
  for (const request of events.slice(4)) recorder.send(request);
  while (recorder.pending.size > 0) await recorder.receive();
  console.log(`connected again, sent those and 2 more: ${recorder.recorded.size} stored`);

  for (const request of events) recorder.send(request);
  let repeated = 0;
  for (const _ of events) if ((await recorder.receive()).repeated) repeated++;
  console.log(`sent all 6 again: ${repeated} were known already, none is stored twice`);
  recorder.close();

  console.log("where the metrics of the model came from:");
  await printProvenance(service, recorder.recorded.get(events[5].id!)!.outputIds[0], suffix);
  service.close();
}

const [address, suffix] = process.argv.slice(2);
if (address) {
  main(address, suffix);
} else {
  console.error("usage: npm start -- HOST:PORT [SUFFIX]");
  process.exitCode = 2;
}
