// Makes the calls that the pages of the Kubeflow Pipelines UI and the node server behind them make, over gRPC-Web, and checks the answers.
// They are about the run that ../go/kfp has written before, and must be those that gRPC gives.
//
//     node kfp.js 127.0.0.1:8080

import assert from "node:assert/strict";
import { BINARY, TEXT, connectWeb } from "./grpc-web.js";
import { connect } from "./grpc.js";
import { mlmd } from "./mlmd.js";

const NOT_FOUND = 5;
const RUN_TYPE = "system.PipelineRun";
const RUN = "4f1c9a52";
const DATASET_URI = "minio://mlpipeline/images";
const MODEL_URI = "minio://mlpipeline/training/4f1c9a52/model";
const PAGE = 10;

/** Notes all answers, plain objects or statuses, while `visit` makes its calls. */
async function answers(store, visit) {
  const noted = [];
  const noting = new Proxy(store, {
    get: (_, method) => async (request) => {
      try {
        const answer = await store[method](request);
        noted.push([method, answer.constructor.toObject(answer)]);
        return answer;
      } catch (error) {
        noted.push([method, error.code, error.details]);
        throw error;
      }
    },
  });
  await visit(noting);
  return noted;
}

async function visitPages(store) {
  const run = await runDetails(store);
  await executionDetails(store, run.executions.at(-1));
  await artifactDetails(store, run.artifacts.at(-1));
  await lists(store);
  await lineageExplorer(store);
  await nodeServer(store);
}

/** The page of a run: everything in its context, with the events between. */
async function runDetails(store) {
  const unknown = await store.getContextByTypeAndName({ typeName: RUN_TYPE, contextName: "never-run" });
  assert.ok(!unknown.context, "a context that is missing is no error");
  const { context } = await store.getContextByTypeAndName({ typeName: RUN_TYPE, contextName: RUN });
  const { contextType } = await store.getContextType({ typeName: RUN_TYPE });
  assert.equal(contextType.id, context.typeId);
  await assert.rejects(store.getContextType({ typeName: "no.such.Type" }), { code: NOT_FOUND });

  const { executions } = await store.getExecutionsByContext({ contextId: context.id });
  const { artifacts } = await store.getArtifactsByContext({ contextId: context.id });
  assert.ok(executions.length > 20, "all of them, without pages");
  assert.deepEqual(artifacts.map(({ uri }) => uri), [DATASET_URI, MODEL_URI]);
  const { events } = await store.getEventsByExecutionIDs({ executionIds: executions.map(({ id }) => id) });
  const linked = await store.getArtifactsByID({ artifactIds: events.map(({ artifactId }) => artifactId) });
  assert.deepEqual(linked.artifacts, artifacts);
  return { executions, artifacts };
}

async function executionDetails(store, { id, typeId }) {
  const { executions } = await store.getExecutionsByID({ executionIds: [id] });
  assert.equal(executions.length, 1);
  const { executionTypes } = await store.getExecutionTypesByID({ typeIds: [typeId] });
  assert.equal(executionTypes[0].name, executions[0].type);
  const { contexts } = await store.getContextsByExecution({ executionId: id });
  assert.deepEqual(contexts.map(({ type }) => type), ["system.Pipeline", RUN_TYPE]);
}

async function artifactDetails(store, { id, typeId }) {
  const { artifacts } = await store.getArtifactsByID({ artifactIds: [id] });
  assert.equal(artifacts.length, 1);
  const { artifactTypes } = await store.getArtifactTypesByID({ typeIds: [typeId] });
  assert.equal(artifactTypes[0].name, artifacts[0].type);
}

/** The pages that list all artifacts and all executions, with the names of their types. */
async function lists(store) {
  const { artifactTypes } = await store.getArtifactTypes({});
  const { executionTypes } = await store.getExecutionTypes({});
  await listPages((options) => store.getArtifacts({ options }), "artifacts", artifactTypes);
  await listPages((options) => store.getExecutions({ options }), "executions", executionTypes);
}

async function listPages(list, nodes, types) {
  const typeIds = new Set(types.map(({ id }) => id));
  const seen = new Set();
  let nextPageToken = "";
  do {
    const page = await list({ maxResultSize: PAGE, nextPageToken });
    nextPageToken = page.nextPageToken;
    assert.ok(page[nodes].length === PAGE || !nextPageToken, "only the last page is short");
    for (const { id, typeId } of page[nodes]) {
      assert.ok(typeIds.has(typeId));
      assert.ok(!seen.has(id), "each once");
      seen.add(id);
    }
  } while (nextPageToken);
  assert.ok(seen.size >= 2);
}

/** The explorer walks by hand: from the model to what has made it, to what that has used, to where that came from. */
async function lineageExplorer(store) {
  const { INPUT, OUTPUT } = mlmd.Event.Type;
  const producers = async (artifactId) => {
    const { events } = await store.getEventsByArtifactIDs({ artifactIds: [artifactId] });
    return events.filter(({ type }) => type === OUTPUT).map(({ executionId }) => executionId);
  };
  const [model] = (await store.getArtifactsByURI({ uris: [MODEL_URI] })).artifacts;
  const [training] = await producers(model.id);
  const { events } = await store.getEventsByExecutionIDs({ executionIds: [training] });
  const [used] = events.filter(({ type }) => type === INPUT);
  assert.deepEqual(used.path.steps.map(({ key, index }) => key ?? index), ["images", 0]);
  const { artifacts } = await store.getArtifactsByID({ artifactIds: [used.artifactId] });
  assert.equal(artifacts[0].uri, DATASET_URI);
  const { executions } = await store.getExecutionsByID({ executionIds: await producers(used.artifactId) });
  assert.deepEqual(executions.map(({ type }) => type), ["system.ImporterExecution"]);
}

/** The server behind the pages shows an artifact only to those who may see the namespace of a run that it belongs to. */
async function nodeServer(store) {
  const { artifacts } = await store.getArtifactsByURI({ uris: [MODEL_URI] });
  const { contexts } = await store.getContextsByArtifact({ artifactId: artifacts[0].id });
  const run = contexts.find(({ type }) => type === RUN_TYPE);
  assert.equal(run.customProperties.namespace.stringValue, "kubeflow");
  const unknown = await store.getArtifactsByURI({ uris: ["minio://mlpipeline/nothing"] });
  assert.equal(unknown.artifacts.length, 0);
  await assert.rejects(store.getContextsByArtifact({ artifactId: 1_000_000 }), { code: NOT_FOUND });
}

const [address] = process.argv.slice(2);
if (!address) {
  console.error("usage: node kfp.js HOST:PORT");
  process.exit(2);
}
const { channel, store } = connect(address);
try {
  const overGrpc = await answers(store, visitPages);
  for (const contentType of [BINARY, TEXT]) {
    const overWeb = await answers(connectWeb(address, contentType), visitPages);
    assert.deepEqual(overWeb, overGrpc);
  }
  console.log(`run ${RUN}: ${overGrpc.length} calls over gRPC-Web, binary and text, answered as over gRPC`);
} finally {
  channel.close();
}
