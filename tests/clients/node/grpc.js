// The generated client over gRPC.

import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import { mlmd } from "./mlmd.js";

const SECONDS_PER_CALL = 60;
const LARGEST_RESPONSE = 100 << 20; // In bytes; 4 MiB if nothing is said.

function credentials() {
  const ca = process.env.CA_CERT_PATH;
  return ca ? grpc.credentials.createSsl(readFileSync(ca)) : grpc.credentials.createInsecure();
}

/** Connects to HOST:PORT. Close the channel when the store is no longer needed. */
export function connect(address) {
  const channel = new grpc.Client(address, credentials(), {
    "grpc.max_receive_message_length": LARGEST_RESPONSE,
  });
  const bytes = (message) => message;
  const store = mlmd.MetadataStoreService.create((method, request, done) => {
    const deadline = Date.now() + SECONDS_PER_CALL * 1000;
    channel.makeUnaryRequest(method.path, bytes, bytes, request, { deadline }, done);
  });
  return { channel, store };
}
