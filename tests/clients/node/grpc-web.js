// The generated client over gRPC-Web, with nothing but fetch, which speaks HTTP/1.1 here.
//
// The protocol: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md

import { mlmd } from "./mlmd.js";

export const BINARY = "application/grpc-web+proto";
export const TEXT = "application/grpc-web-text";

const DATA = 0x00;
const TRAILERS = 0x80;
const HEADER_BYTES = 5; // The kind of frame, and the length of what follows in network order.
const TIMEOUT_MS = 60_000;

/** A call that has ended with a status other than OK. */
export class StatusError extends Error {
  constructor(code, details) {
    super(`${code}: ${details}`);
    this.code = code;
    this.details = details;
  }
}

/** The client of the server at HOST:PORT, which sends and takes one of the two content types. */
export function connectWeb(address, contentType) {
  // What fetch trusts is said by NODE_EXTRA_CA_CERTS.
  const scheme = process.env.CA_CERT_PATH ? "https" : "http";
  return mlmd.MetadataStoreService.create((method, request, done) => {
    call(`${scheme}://${address}${method.path}`, contentType, request).then((response) => done(null, response), done);
  });
}

async function call(url, contentType, request) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": contentType, accept: contentType, "x-grpc-web": "1", origin: new URL(url).origin },
    body: encode(request, contentType),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.status !== 200) {
    throw new Error(`HTTP status ${response.status}`);
  }
  const answered = response.headers.get("content-type");
  if (format(answered ?? "") !== format(contentType)) {
    throw new Error(`content type ${answered}, expected ${contentType}`);
  }
  const { messages, trailers } = decode(Buffer.from(await response.arrayBuffer()), contentType);
  // A call that fails early may have its status among the headers, and then no frames at all.
  const status = trailers ?? response.headers;
  if (!status.has("grpc-status")) {
    throw new Error("the response has no status");
  }
  const code = Number(status.get("grpc-status"));
  if (code !== 0) {
    throw new StatusError(code, decodeURIComponent(status.get("grpc-message") ?? ""));
  }
  if (messages.length !== 1) {
    throw new Error(`${messages.length} messages, expected one`);
  }
  return messages[0];
}

/** A content type without the kind of message, which is proto if nothing is said. */
function format(contentType) {
  return contentType.replace(/\+proto$/, "");
}

function encode(message, contentType) {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(DATA);
  header.writeUInt32BE(message.length, 1);
  const frame = Buffer.concat([header, message]);
  return contentType === TEXT ? frame.toString("base64") : frame;
}

function decode(body, contentType) {
  return parseFrames(contentType === TEXT ? decodeBase64(body.toString("latin1")) : body);
}

/** Base64 that may be in pieces, each with a padding of its own. */
function decodeBase64(text) {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/=]*$/.test(text)) {
    throw new Error("the response is not base64");
  }
  const pieces = text.match(/[^=]+={0,2}/g) ?? [];
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64")));
}

/** Takes a body apart, to the last byte: messages, then trailers. */
function parseFrames(body) {
  const messages = [];
  let trailers = null;
  for (let at = 0; at < body.length; ) {
    if (trailers) {
      throw new Error("there is something behind the trailers");
    }
    const start = at + HEADER_BYTES;
    if (start > body.length) {
      throw new Error("the header of a frame is cut off");
    }
    const kind = body.readUInt8(at);
    at = start + body.readUInt32BE(at + 1);
    if (at > body.length) {
      throw new Error("a frame is cut off");
    }
    const payload = body.subarray(start, at);
    if (kind === DATA) {
      messages.push(payload);
    } else if (kind === TRAILERS) {
      trailers = parseTrailers(payload.toString("latin1"));
    } else {
      throw new Error(`unknown kind of frame: ${kind}`);
    }
  }
  return { messages, trailers };
}

/** Lines such as `grpc-status: 0`, each with its end. */
function parseTrailers(text) {
  const lines = text.split("\r\n");
  if (lines.pop() !== "") {
    throw new Error("the last trailer has no end");
  }
  return new Map(lines.map(parseTrailer));
}

function parseTrailer(line) {
  const [, name, value] = /^([a-z0-9_.-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  if (!name) {
    throw new Error(`not a trailer: ${line}`);
  }
  return [name, value];
}
