import { Command } from "@commander-js/extra-typings";
import { describe, expect, it } from "vitest";
import { keysAt, shapeAt } from "../experiment/config-schema.ts";
import { loadConfig } from "../experiment/index.ts";
import { addSchemaOptions, type SchemaSection, schemaOverrides } from "./schema-options.ts";
import { STAGE_COMMANDS } from "./stage-commands.ts";

const sectionsOf = (name: string) => STAGE_COMMANDS.find((command) => command.name === name)!.sections;

function overrides(sections: readonly SchemaSection[], ...args: string[]) {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  addSchemaOptions(command, sections);
  command.parse(args, { from: "user" });
  return schemaOverrides(command, sections);
}

const configOf = (name: string, ...args: string[]) =>
  loadConfig({ overrides: overrides(sectionsOf(name), ...args) });

describe("options of the schema", () => {
  it("reach the configuration with the types that it wants", () => {
    const config = configOf(
      "finetune",
      ...[
        "--steps",
        "7",
        "--learning-rate",
        "1e-4",
        "--betas",
        "0.8,0.9",
        "--scale-lr",
        "--schedule",
        "linear",
      ],
      ...["--no-cache", "--flip", "--crop", "random", "--max-train-samples", "50", "--threads", "1"],
      ...["--validation-prompts", "a: b", "c", "--validation-steps", "3", "--tracker", "none"],
    );
    expect(config.base).toMatchObject({ steps: 7, learningRate: 1e-4, betas: [0.8, 0.9], scaleLr: true });
    expect(config.base.schedule).toBe("linear");
    expect(config.data).toMatchObject({ cache: false, flip: true, crop: "random", maxTrainSamples: 50 });
    expect(config.validation).toMatchObject({ prompts: ["a: b", "c"], steps: 3 });
    expect([config.tracking.tracker, config.threads]).toEqual([[], 1]);
    const train = configOf(
      "train",
      "--no-balanced",
      "--targets",
      "attn1",
      "--tracker",
      "tensorboard",
      "mlflow",
    );
    expect(train.guidance).toMatchObject({ balanced: false, targets: ["attn1"] });
    expect(train.tracking.tracker).toEqual(["tensorboard", "mlflow"]);
    expect(configOf("infer-groups", "--timesteps", "[900, 990]").groups.timesteps).toEqual([900, 990]);
  });

  it("change nothing when they are not given", () => {
    for (const { sections } of STAGE_COMMANDS) expect(overrides(sections)).toEqual([]);
  });

  it.each([
    [["--steps", "many"], '--steps: base.steps is "many"; expected a whole number of at least 1.'],
    [["--schedule", "sudden"], /--schedule: base\.schedule is "sudden"; expected one of constant, /],
    [
      ["--betas", "0.9"],
      "--betas: base.betas is [0.9]; expected two numbers from 0 to below 1, such as [0.9, 0.999].",
    ],
    [["--resolution", "60"], "--resolution: data.resolution is 60; expected a multiple of 8 from 8 to 2048."],
  ])("%j is refused by name", (args, message) => {
    expect(() => configOf("finetune", ...args)).toThrow(message);
  });

  it("exist for every key that a training can be told, and all have a description", () => {
    for (const [name, section] of [
      ["finetune", "base"],
      ["train", "guidance"],
    ] as const) {
      const command = new Command();
      addSchemaOptions(command, sectionsOf(name));
      const known = new Set(command.options.map((option) => option.attributeName()));
      expect(keysAt([section])!.filter((key) => !known.has(key))).toEqual([]);
    }
    for (const section of keysAt([])!.filter((key) => shapeAt([key])))
      for (const [key, schema] of Object.entries(shapeAt([section])!))
        expect({ key: `${section}.${key}`, text: schema.description ?? "" }).toEqual({
          key: `${section}.${key}`,
          text: expect.stringMatching(/\w{3}/) as string,
        });
  });

  it("show their defaults in the help", () => {
    const command = new Command().helpOption(false);
    addSchemaOptions(command, sectionsOf("finetune"));
    const help = command.helpInformation().replace(/\s+/g, " ");
    expect(help).toContain("--batch-size <n> images per batch (default: 32)");
    expect(help).toContain("--no-cache do not encode every image and caption once");
    expect(help).toContain("--crop <name>");
  });
});
