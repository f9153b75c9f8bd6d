#!/usr/bin/env node
// The command `invdiff`: the only module that acts when it is loaded.
import { failureOf } from "./failure.ts";
import { buildProgram } from "./program.ts";

const program = buildProgram();
try {
  await program.parseAsync();
} catch (error) {
  const { text, exitCode } = failureOf(error, { debug: program.opts().debug === true });
  if (text !== "") console.error(text);
  process.exitCode = exitCode;
}
