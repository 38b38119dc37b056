// Makes 64-bit integers plain numbers: ids and times stay far below 2^53. Without this they are objects of the package `long`.

import protobuf from "protobufjs/minimal.js";

protobuf.util.Long = null;
protobuf.configure();
