// Registers types, writes one run, reads it back in three ways and checks what it reads.
//
//     node onerun.js 127.0.0.1:8080

import assert from "node:assert/strict";
import { connect } from "./grpc.js";
import { mlmd } from "./mlmd.js";

const { INT, DOUBLE, STRING, STRUCT, BOOLEAN } = mlmd.PropertyType;

/** Registers the types, which changes nothing when they are there already. */
async function registerTypes(store) {
  const types = await store.putTypes({
    artifactTypes: [
      { name: "Dataset", properties: { rows: INT, labeled: BOOLEAN } },
      { name: "Model", properties: { accuracy: DOUBLE } },
    ],
    executionTypes: [{ name: "Train", properties: { hyperparameters: STRUCT } }],
    contextTypes: [{ name: "Experiment", properties: { owner: STRING } }],
  });
  const [dataset, model] = types.artifactTypeIds;
  return { dataset, model, train: types.executionTypeIds[0], experiment: types.contextTypeIds[0] };
}

/** A dataset, the training that used it, the model that came out, and the experiment that all of them belong to. */
function describeRun(types, name) {
  const layers = { listValue: { values: [{ numberValue: 64 }, { numberValue: 10 }] } };
  const hyperparameters = { structValue: { fields: { optimizer: { stringValue: "adam" }, layers } } };
  return {
    dataset: {
      typeId: types.dataset,
      name: `${name}/images`,
      uri: "s3://data/images",
      state: mlmd.Artifact.State.LIVE,
      properties: { rows: { intValue: 60_000 }, labeled: { boolValue: true } },
    },
    model: {
      typeId: types.model,
      name: `${name}/model`,
      uri: `s3://models/${name}`,
      state: mlmd.Artifact.State.LIVE,
      properties: { accuracy: { doubleValue: 0.9375 } },
      customProperties: { format: { stringValue: "onnx" } },
    },
    train: {
      typeId: types.train,
      name,
      lastKnownState: mlmd.Execution.State.COMPLETE,
      properties: { hyperparameters },
      customProperties: { commit: { stringValue: "9fceb02" } },
    },
    experiment: {
      typeId: types.experiment,
      name,
      properties: { owner: { stringValue: "vision" } },
    },
  };
}

/** Puts the whole run at once: the nodes, the events between them, and their places in the experiment. */
async function writeRun(store, run) {
  const { INPUT, OUTPUT } = mlmd.Event.Type;
  const event = (type, key) => ({ type, path: { steps: [{ key }] } });
  const written = await store.putExecution({
    execution: run.train,
    artifactEventPairs: [
      { artifact: run.dataset, event: event(INPUT, "images") },
      { artifact: run.model, event: event(OUTPUT, "model") },
    ],
    contexts: [run.experiment],
    options: { reuseContextIfAlreadyExist: true },
  });
  run.train.id = written.executionId;
  [run.dataset.id, run.model.id] = written.artifactIds;
  [run.experiment.id] = written.contextIds;
}

async function readById(store, run) {
  const { artifacts } = await store.getArtifactsByID({ artifactIds: [run.dataset.id, run.model.id] });
  const { executions } = await store.getExecutionsByID({ executionIds: [run.train.id] });
  const { contexts } = await store.getContextsByID({ contextIds: [run.experiment.id] });
  assert.deepEqual(artifacts.map(asWritten), [run.dataset, run.model]);
  assert.deepEqual(executions.map(asWritten), [run.train]);
  assert.deepEqual(contexts.map(asWritten), [run.experiment]);
}

async function readByFilter(store, run) {
  const query = `type = 'Model' AND properties.accuracy.double_value > 0.9 AND contexts_a.name = '${run.experiment.name}'`;
  const { artifacts } = await store.getArtifacts({ options: { filterQuery: query } });
  assert.deepEqual(artifacts.map(asWritten), [run.model]);
}

/** Takes away what the server adds to each node: the name of the type and the times. */
function asWritten(node) {
  const { type, createTimeSinceEpoch, lastUpdateTimeSinceEpoch, ...written } = node.constructor.toObject(node);
  assert.ok(type && createTimeSinceEpoch && lastUpdateTimeSinceEpoch);
  return written;
}

/** Asks where the model came from. */
async function readLineage(store, run) {
  const { lineageSubgraph: graph } = await store.getLineageSubgraph({
    lineageSubgraphQueryOptions: {
      startingArtifacts: { filterQuery: `id = ${run.model.id}` },
      direction: mlmd.LineageSubgraphQueryOptions.Direction.UPSTREAM,
    },
  });
  // The nodes of a graph have only their ids.
  const ids = (nodes) => nodes.map(({ id }) => id).sort((a, b) => a - b);
  assert.deepEqual(ids(graph.artifacts), [run.dataset.id, run.model.id]);
  assert.deepEqual(ids(graph.executions), [run.train.id]);
  assert.deepEqual(ids(graph.contexts), [run.experiment.id]);
  assert.equal(graph.events.length, 2);
  assert.equal(graph.attributions.length, 2);
  assert.equal(graph.associations.length, 1);
}

const [address] = process.argv.slice(2);
if (!address) {
  console.error("usage: node onerun.js HOST:PORT");
  process.exit(2);
}
const { channel, store } = connect(address);
try {
  const run = describeRun(await registerTypes(store), `run-${new Date().toISOString()}`);
  await writeRun(store, run);
  await readById(store, run);
  await readByFilter(store, run);
  await readLineage(store, run);
  const { dataset, model, train } = run;
  console.log(`${train.name}: execution ${train.id} made model ${model.id} from dataset ${dataset.id}`);
} finally {
  channel.close();
}
