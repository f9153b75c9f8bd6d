// The generated operators are what their tool makes from this libtorch's schemas: regenerating changes nothing.
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { ROOT } from "./files.ts";

it("regenerating src/torch/ops.generated.ts gives an empty diff", () => {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "-s", "check:ops"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(status, stdout + stderr).toBe(0);
});
