import { describe, expect, it } from "vitest";

import { commandLine, programName, resumingArgs } from "./command-line.ts";

describe("programName", () => {
  it("is the installed command, or node with the program's path", () => {
    expect(programName("/usr/bin/invdiff", "/somewhere")).toBe("invdiff");
    expect(programName("/code/dist/cli/main.js", "/code")).toBe("node dist/cli/main.js");
    expect(programName("/my code/main.js", "/other")).toBe("node '/my code/main.js'");
  });
});

describe("commandLine", () => {
  it("quotes what a shell would take apart", () => {
    expect(commandLine(["run", "a b.yaml", "--set", "name=it's"]).replace(/^.*? run/, "run")).toBe(
      `run 'a b.yaml' --set 'name=it'\\''s'`,
    );
  });
});

describe("resumingArgs", () => {
  it("leaves out what would take a resumed run back", () => {
    const args = ["train", "--resume", "a/checkpoint-000004", "--out", "o", "--force", "--resume=b"];
    expect(resumingArgs(args)).toEqual(["train", "--out", "o"]);
  });
});
