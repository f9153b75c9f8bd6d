// The command line: `main.ts` runs it; this only names what tests and other programs may use.
export { failureOf } from "./failure.ts";
export { buildProgram } from "./program.ts";
