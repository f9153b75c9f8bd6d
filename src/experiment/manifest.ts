// manifest.json of a stage's folder: what made it and what came out. It is written last, so its presence says "finished".
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../torch/atomic-file.ts";
import { UserError } from "../torch/errors.ts";

export const MANIFEST = "manifest.json";

const manifestSchema = z.object({
  stage: z.string(),
  /** Fingerprint of everything that the result depends on. */
  key: z.string(),
  inputs: z.record(z.string(), z.unknown()),
  /** Keys of the stages that this one read. */
  needs: z.record(z.string(), z.string()),
  seed: z.number(),
  versions: z.record(z.string(), z.string()),
  startedAt: z.string(),
  /** Working time, interrupted tries included. */
  seconds: z.number(),
  /** Highest memory of the process until the stage's end. */
  peakMemoryBytes: z.number(),
  /** Most memory of a card that tensors took; absent on the processor. */
  peakDeviceBytes: z.number().optional(),
  result: z.record(z.string(), z.unknown()),
});

export type Manifest = z.output<typeof manifestSchema>;

/** Writes the manifest, whole or not at all. */
export const writeManifest = (folder: string, manifest: Manifest): void =>
  writeFileAtomic(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);

/** The manifest of a finished stage; undefined when there is none. Errors: UserError when it is broken. */
export function readManifest(folder: string): Manifest | undefined {
  const path = join(folder, MANIFEST);
  if (!existsSync(path)) return undefined;
  const broken = (reason: string, cause?: unknown) =>
    new UserError(`${path} is broken (${reason}). Remove the folder ${folder} to have it made again.`, {
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw broken((cause as Error).message, cause);
  }
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw broken(`${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not a manifest"}`);
  }
  return parsed.data;
}
