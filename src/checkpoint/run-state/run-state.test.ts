// Checkpoints of a training: what is saved comes back to the bit, and every damage is found.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { STORED_DTYPES } from "../../../test/tensors.ts";
import {
  CheckpointError,
  ConfigError,
  Generator,
  randn,
  scope,
  type Tensor,
  tensor,
  zeros,
} from "../../torch/index.ts";
import {
  type InvalidRunState,
  latestRunState,
  listRunStates,
  openRunState,
  removeRunStates,
  saveRunState,
} from "../index.ts";

let root: string;
let dir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "run-state-"));
  dir = join(root, "checkpoints");
});
afterEach(() => rmSync(root, { recursive: true }));

const STATE = {
  step: 12,
  seed: "9007199254740993",
  loss: 0.1 + 0.2,
  list: [1, null, true],
  nested: { ä: "\u0000" },
};

/** Three small files whose values tell the step. */
const save = (step: number, options = {}): string =>
  scope(() =>
    saveRunState(
      dir,
      {
        step,
        tensors: {
          weights: new Map([["a.weight", tensor([step, 2, 3])]]),
          optimizer: new Map([["a.weight/exp_avg", tensor([0.5, step])]]),
        },
        state: { step },
      },
      options,
    ),
  );

const steps = (): number[] => listRunStates(dir).map(({ step }) => step);
const latest = (): { step: number | undefined; invalid: InvalidRunState[] } => {
  const invalid: InvalidRunState[] = [];
  return { step: latestRunState(dir, { onInvalid: (item) => invalid.push(item) })?.step, invalid };
};
const bitsOf = (value: Tensor): Buffer =>
  scope(() => Buffer.from(value.contiguous().withBytes((bytes) => bytes.slice())));

describe("what is saved", () => {
  it("comes back to the bit: every dtype, views, empty tensors and groups, any JSON", () => {
    scope(() => {
      const generator = new Generator().manualSeed(3);
      const matrix = randn([5, 7], { generator });
      const weights = new Map<string, Tensor>([
        ...STORED_DTYPES.map((dtype) => [dtype, tensor([1, 0, 1], { dtype })] as [string, Tensor]),
        ["transposed", matrix.transpose(0, 1)],
        ["strided", matrix.slice(1, 0, 7, 3)],
        ["row", matrix.select(0, 2)],
        ["scalar", tensor(Math.PI)],
        ["none", zeros([0, 4])],
        ["special", tensor([NaN, -0, Infinity, -Infinity, 1e-45])],
      ]);
      const path = saveRunState(dir, { step: 12, tensors: { weights, ema: new Map() }, state: STATE });
      expect(path).toBe(join(dir, "checkpoint-000012"));
      expect(readdirSync(path).sort()).toEqual([
        "ema.safetensors",
        "manifest.json",
        "state.json",
        "weights.safetensors",
      ]);
      const opened = openRunState(path);
      expect({ ...opened, tensors: undefined }).toEqual({
        step: 12,
        groups: ["weights", "ema"],
        state: STATE,
        tensors: undefined,
      });
      const back = opened.tensors("weights");
      expect([...back.keys()].sort()).toEqual([...weights.keys()].sort());
      for (const [key, value] of weights) {
        const found = back.get(key)!;
        expect({ key, dtype: found.dtype, shape: found.shape }).toEqual({
          key,
          dtype: value.dtype,
          shape: value.shape,
        });
        expect(bitsOf(found).equals(bitsOf(value))).toBe(true);
      }
      expect(opened.tensors("ema").size).toBe(0);
      for (const value of back.values()) value.dispose();
    });
  });

  it("is found by step; steps of more than six digits sort as numbers, other names are none of ours", () => {
    expect(listRunStates(dir)).toEqual([]);
    expect(latestRunState(dir)).toBeUndefined();
    for (const step of [1_000_000, 999_999, 0, 12]) save(step);
    for (const name of [
      "checkpoint-12",
      "checkpoint-0000012",
      "checkpoint-abc",
      "old",
      ".checkpoint-000013.tmp-1x",
    ])
      mkdirSync(join(dir, name));
    writeFileSync(join(dir, "checkpoint-5"), "");
    expect(steps()).toEqual([0, 12, 999_999, 1_000_000]);
    expect(latestRunState(dir)).toEqual({ step: 1_000_000, path: join(dir, "checkpoint-1000000") });
  });

  it("may be copied and renamed", () => {
    cpSync(save(12), join(root, "mine"), { recursive: true });
    expect(openRunState(join(root, "mine")).step).toBe(12);
  });

  it("replaces one of the same step, damaged or not", () => {
    const path = save(4);
    writeFileSync(join(path, "weights.safetensors"), "damaged");
    expect(latest().step).toBeUndefined();
    save(4);
    expect(latest()).toEqual({ step: 4, invalid: [] });
    expect(readdirSync(dir)).toEqual(["checkpoint-000004"]);
  });
});

describe("wrong arguments", () => {
  const content = { step: 1, tensors: {}, state: {} };
  it.each([
    [
      { ...content, step: -1 },
      {},
      ConfigError,
      "A checkpoint of step -1 was asked for; expected a whole number from 0 on.",
    ],
    [{ ...content, step: 1.5 }, {}, ConfigError, "A checkpoint of step 1.5 was asked for"],
    [
      content,
      { keep: 0 },
      ConfigError,
      "keep is 0; expected the number of checkpoints that stay, from 1 on.",
    ],
    [
      { ...content, tensors: { "../x": new Map() } },
      {},
      ConfigError,
      'The tensors "../x" cannot name a file',
    ],
    [{ ...content, state: { loss: NaN } }, {}, Error, `The state's "loss" is NaN, which JSON cannot hold`],
    [
      { ...content, state: { a: { list: new Float32Array(2) } } },
      {},
      Error,
      `The state's "list" is a Float32Array; expected plain`,
    ],
    [{ ...content, state: { when: new Date(0) } }, {}, Error, `The state's "when" is a Date`],
  ])("%#: are named, and nothing is written", (given, options, type, message) => {
    expect(() => saveRunState(dir, given, options)).toThrow(type);
    expect(() => saveRunState(dir, given, options)).toThrow(message);
    expect(existsSync(dir)).toBe(false);
  });

  it("a tensor that no file holds leaves the folder as it was", () => {
    save(1);
    const wrong = () =>
      scope(() =>
        saveRunState(dir, {
          step: 2,
          tensors: { weights: new Map([["__metadata__", tensor([1])]]) },
          state: {},
        }),
      );
    expect(wrong).toThrow(/tensor "__metadata__"/);
    expect(readdirSync(dir)).toEqual(["checkpoint-000001"]);
  });
});

type Damage = readonly [what: string, damage: (path: string) => void, reason: RegExp];
const flip = (file: string, at: number): void => {
  const bytes = readFileSync(file);
  bytes[at % bytes.length]! ^= 1 << (at % 8);
  writeFileSync(file, bytes);
};
const FILES = ["weights.safetensors", "optimizer.safetensors", "state.json", "manifest.json"];
const DAMAGES: readonly Damage[] = [
  ...FILES.flatMap((name): Damage[] => {
    const shown = name.replace(".", "\\.");
    const other =
      name === "manifest.json"
        ? /manifest\.json holds no manifest/
        : new RegExp(`${shown} has \\d+ bytes, expected \\d+`);
    return [
      [`${name} cut off`, (path) => truncateSync(join(path, name), 5), other],
      [
        `${name} with a wrong bit`,
        (path) => flip(join(path, name), 9),
        new RegExp(`${shown} (has other content than was saved|holds no manifest)`),
      ],
      [`${name} missing`, (path) => rmSync(join(path, name)), new RegExp(`${shown} is missing`)],
      [`${name} empty`, (path) => truncateSync(join(path, name), 0), other],
    ];
  }),
  ["a further file", (path) => writeFileSync(join(path, "x.txt"), ""), /x\.txt does not belong to it/],
  [
    "a folder in place of a file",
    (path) => {
      rmSync(join(path, "state.json"));
      mkdirSync(join(path, "state.json"));
    },
    /state\.json is not a regular file/,
  ],
  [
    "another step's content",
    (path) => {
      rmSync(path, { recursive: true });
      cpSync(join(dir, "checkpoint-000002"), path, { recursive: true });
    },
    /it is named for step 4 and holds step 2/,
  ],
];

describe("damage", () => {
  it.each(DAMAGES)("%s is found, and the one before is taken", (_, damage, reason) => {
    save(2);
    const path = save(4);
    expect(latest()).toEqual({ step: 4, invalid: [] });
    damage(path);
    expect(() => openRunState(path)).toThrow(CheckpointError);
    expect(() => openRunState(path)).toThrow(reason);
    const { step, invalid } = latest();
    expect(step).toBe(2);
    expect(invalid).toMatchObject([{ step: 4, path }]);
    expect(invalid[0]!.reason).toMatch(reason);
    expect(invalid[0]!.reason).toContain(`Checkpoint ${path} is damaged: `);
    expect(invalid[0]!.reason).toContain(
      `Resume from another one, such as ${join(dir, "checkpoint-000002")}.`,
    );
  });

  it("of any bit of any file is found", () => {
    const path = save(4);
    const originals = new Map(FILES.map((name) => [name, readFileSync(join(path, name))]));
    fc.assert(
      fc.property(fc.constantFrom(...FILES), fc.nat(), fc.integer({ min: 1, max: 255 }), (name, at, mask) => {
        const bytes = Buffer.from(originals.get(name)!);
        bytes[at % bytes.length]! ^= mask;
        writeFileSync(join(path, name), bytes);
        try {
          expect(latest().step).toBeUndefined();
        } finally {
          writeFileSync(join(path, name), originals.get(name)!);
        }
        expect(latest().step).toBe(4);
      }),
      { seed: 4, numRuns: 200 },
    );
  });

  it("of several files is told whole", () => {
    const path = save(4);
    rmSync(join(path, "state.json"));
    flip(join(path, "weights.safetensors"), 100);
    writeFileSync(join(path, "x"), "");
    expect(() => openRunState(path)).toThrow(
      /damaged: x does not belong to it; weights\.safetensors has other content .*; state\.json is missing\. There is no other one beside it: start anew\./,
    );
  });

  it.each([
    [
      "nothing",
      () => join(dir, "checkpoint-000009"),
      /does not exist; expected a folder checkpoint-N that a training wrote, such as .*checkpoint-000004\./,
    ],
    [
      "a file",
      () => join(dir, "checkpoint-000004", "state.json"),
      /is a file; expected a folder checkpoint-N/,
    ],
    [
      "the folder around",
      () => dir,
      /is a folder of checkpoints, not one of them; name one, such as .*checkpoint-000004\./,
    ],
  ])("%s in its place is told apart", (_, place, reason) => {
    save(4);
    expect(() => openRunState(place())).toThrow(reason);
  });

  it("is not what a newer program wrote", () => {
    const path = save(4);
    const file = join(path, "manifest.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"version": 1', '"version": 2'));
    expect(() => openRunState(path)).toThrow(
      /has version 2; this program reads version 1\. Use the program that wrote it/,
    );
  });

  it("a group that is not there is named, with those that are", () => {
    const { tensors } = openRunState(save(4));
    expect(() => tensors("ema")).toThrow(
      /holds no tensors "ema"; it holds weights, optimizer\. It was saved by a run with other settings\./,
    );
  });
});

describe("old checkpoints", () => {
  it("are removed, the newest stay", () => {
    for (const step of [2, 4, 6]) save(step, { keep: 2 });
    expect(steps()).toEqual([4, 6]);
    save(8, { keep: 1 });
    expect(readdirSync(dir)).toEqual(["checkpoint-000008"]);
    for (const step of [10, 12, 14]) save(step);
    expect(steps()).toEqual([8, 10, 12, 14]);
  });

  it("that are damaged do not count, and the newest usable one always stays", () => {
    for (const step of [2, 4, 8, 10]) save(step);
    for (const step of ["08", "10"])
      truncateSync(join(dir, `checkpoint-0000${step}`, "weights.safetensors"), 3);
    // A run that goes on from 4 because all later ones are damaged.
    expect(latest().step).toBe(4);
    save(6, { keep: 2 });
    expect(steps()).toEqual([4, 6]);
    expect(latest()).toEqual({ step: 6, invalid: [] });
  });

  it("with a higher step than the new one never drive it out", () => {
    for (const step of [10, 20]) save(step);
    save(6, { keep: 1 });
    expect(steps()).toEqual([6]);
  });

  it("of a run that starts again from an earlier step are taken away", () => {
    for (const step of [2, 4, 6]) save(step);
    removeRunStates(dir, { after: 2 });
    expect(readdirSync(dir)).toEqual(["checkpoint-000002"]);
  });
});

describe("what a dead process left over", () => {
  /** No process has it: above the largest that systems give. */
  const DEAD = 2 ** 30;

  it("is removed at the next save; what a living one writes is not", () => {
    save(2);
    for (const name of [
      `.checkpoint-000004.tmp-${DEAD}`,
      `.checkpoint-000002.old-${DEAD}`,
      `.checkpoint-000001.del-${DEAD}`,
    ])
      cpSync(join(dir, "checkpoint-000002"), join(dir, name), { recursive: true });
    const living = `.checkpoint-000004.tmp-${process.ppid}`;
    mkdirSync(join(dir, living));
    expect(steps()).toEqual([2]);
    save(6);
    expect(readdirSync(dir).sort()).toEqual([living, "checkpoint-000002", "checkpoint-000006"]);
  });

  it("is taken when it is complete and nothing stands in its place", () => {
    const path = save(2);
    const aside = join(dir, `.checkpoint-000002.old-${DEAD}`);
    cpSync(path, aside, { recursive: true });
    rmSync(path, { recursive: true });
    expect(latestRunState(dir)).toEqual({ step: 2, path: aside });
    expect(openRunState(aside).state).toEqual({ step: 2 });
    save(4);
    expect(readdirSync(dir).sort()).toEqual(["checkpoint-000002", "checkpoint-000004"]);
    expect(openRunState(path).step).toBe(2);
  });
});
