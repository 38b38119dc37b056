// The messages and the client of the ML Metadata service, which `npm run generate` makes from proto/.

import "./numbers.js";
export { ml_metadata as mlmd } from "./generated.js";
