// The client over gRPC-Web against a server that says what the test tells it to.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import test from "node:test";
import { BINARY, StatusError, TEXT, connectWeb } from "./grpc-web.js";
import { mlmd } from "./mlmd.js";

const REQUEST = { typeName: "system.Dataset" };
const RESPONSE = { artifactType: { id: 10, name: "system.Dataset" } };
const MESSAGE = Buffer.from(mlmd.GetArtifactTypeResponse.encode(RESPONSE).finish());
const OK = "grpc-status: 0\r\n";

function frame(kind, payload) {
  const header = Buffer.from([kind, 0, 0, 0, 0]);
  header.writeUInt32BE(payload.length, 1);
  return Buffer.concat([header, Buffer.from(payload)]);
}

/** Makes a call that is answered with these pieces of a body, and returns what the client makes of it. */
async function call(contentType, { pieces = [], headers = {}, status = 200 }) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    requests.push({ url: request.url, type: request.headers["content-type"], body });
    response.writeHead(status, { "content-type": contentType, ...headers });
    pieces.forEach((piece) => response.write(piece));
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const store = connectWeb(`127.0.0.1:${server.address().port}`, contentType);
    const answer = await store.getArtifactType(REQUEST);
    return { answer: mlmd.GetArtifactTypeResponse.toObject(answer), requests };
  } finally {
    server.close();
    server.closeAllConnections?.();
  }
}

test("a message and its trailers", async () => {
  const pieces = [frame(0x00, MESSAGE), frame(0x80, OK)];
  const { answer, requests } = await call(BINARY, { pieces });
  assert.deepEqual(answer, RESPONSE);
  const body = frame(0x00, mlmd.GetArtifactTypeRequest.encode(REQUEST).finish());
  assert.deepEqual(requests, [{ url: "/ml_metadata.MetadataStoreService/GetArtifactType", type: BINARY, body }]);
});

test("frames that arrive in pieces of one byte", async () => {
  const body = Buffer.concat([frame(0x00, MESSAGE), frame(0x80, "grpc-status:0\r\nx-request-id:7\r\n")]);
  const { answer } = await call(BINARY, { pieces: [...body].map((byte) => Buffer.from([byte])) });
  assert.deepEqual(answer, RESPONSE);
});

test("an empty message", async () => {
  const { answer } = await call(BINARY, { pieces: [frame(0x00, ""), frame(0x80, OK)] });
  assert.deepEqual(answer, {});
});

test("base64, as a whole and in padded pieces", async () => {
  const frames = [frame(0x00, MESSAGE), frame(0x80, OK)];
  const whole = await call(TEXT, { pieces: [Buffer.concat(frames).toString("base64")] });
  assert.deepEqual(whole.answer, RESPONSE);
  const padded = await call(TEXT, { pieces: frames.map((frame) => frame.toString("base64")) });
  assert.deepEqual(padded.answer, RESPONSE);
  const sent = Buffer.from(padded.requests[0].body.toString(), "base64");
  assert.deepEqual(sent, frame(0x00, mlmd.GetArtifactTypeRequest.encode(REQUEST).finish()));
});

test("a status in the trailers and in the headers", async () => {
  const expected = new StatusError(5, "no type “x”: 100%");
  const message = encodeURIComponent(expected.details);
  const trailers = frame(0x80, `grpc-status: 5\r\ngrpc-message: ${message}\r\n`);
  await assert.rejects(call(BINARY, { pieces: [trailers] }), expected);
  await assert.rejects(call(TEXT, { pieces: [trailers.toString("base64")] }), expected);
  const headers = { "grpc-status": "5", "grpc-message": message };
  await assert.rejects(call(BINARY, { headers }), expected);
});

const broken = {
  "no status": [frame(0x00, MESSAGE)],
  "nothing at all": [],
  "no message": [frame(0x80, OK)],
  "two messages": [frame(0x00, MESSAGE), frame(0x00, MESSAGE), frame(0x80, OK)],
  "a message behind the trailers": [frame(0x80, OK), frame(0x00, MESSAGE)],
  "a byte behind the trailers": [frame(0x00, MESSAGE), frame(0x80, OK), Buffer.from([0])],
  "a compressed message": [frame(0x01, MESSAGE), frame(0x80, OK)],
  "a header that is cut off": [frame(0x00, MESSAGE), frame(0x80, OK).subarray(0, 4)],
  "a frame that is cut off": [frame(0x00, MESSAGE), frame(0x80, OK).subarray(0, -1)],
  "a trailer without end": [frame(0x00, MESSAGE), frame(0x80, "grpc-status: 0")],
  "a trailer with capitals": [frame(0x00, MESSAGE), frame(0x80, "Grpc-Status: 0\r\n")],
};

for (const [what, pieces] of Object.entries(broken)) {
  test(`refused: ${what}`, async () => {
    const notAStatus = (error) => error instanceof Error && !(error instanceof StatusError);
    await assert.rejects(call(BINARY, { pieces }), notAStatus);
  });
}

test("refused: another HTTP status, another content type, no base64", async () => {
  const pieces = [frame(0x00, MESSAGE), frame(0x80, OK)];
  await assert.rejects(call(BINARY, { pieces, status: 415 }), /HTTP status 415/);
  await assert.rejects(call(BINARY, { pieces, headers: { "content-type": "application/grpc" } }), /content type/);
  await assert.rejects(call(TEXT, { pieces }), /base64/);
});
