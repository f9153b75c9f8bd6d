// CLIP's image preprocessing against transformers (tools/golden/clip-towers.py, PROCESSORS).
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { wave64 } from "../../test/closed-form.ts";
import { golden } from "../../test/golden-dir.ts";
import { ownGolden } from "../../test/own-golden.ts";
import { ConfigError, scope, ShapeError, tensor } from "../torch/index.ts";
import { clipImageOptions, clipPixelValues } from "./index.ts";

const expected = ownGolden("clip-towers");
const { processors } = expected.json("config") as { processors: Record<string, Record<string, unknown>> };

const PICTURES = { wide: wave64([3, 17, 25], 5), tall: wave64([3, 40, 12], 6) };
const picture = (which: keyof typeof PICTURES) =>
  PICTURES[which].add(1).mul(127.5).round().to("uint8").unsqueeze(0);

const cases = Object.keys(processors).flatMap((name) =>
  (["wide", "tall"] as const).map((which) => [name, which] as const),
);

describe("clipPixelValues", () => {
  it.each(cases)("equals transformers: %s, %s picture", (name, which) => {
    scope(() => {
      const options = clipImageOptions(processors[name]);
      const values = clipPixelValues(picture(which), options);
      const want = expected.get(`processor.${name}.${which}`);
      expect(values.shape).toEqual(want.shape);
      expect(values.sub(want).abs().max().item()).toBeLessThan(1e-6);
    });
  });

  it("takes decoded pictures of different sizes, and batches", () => {
    scope(() => {
      const options = clipImageOptions(processors["numbers"]);
      const rgb = (which: keyof typeof PICTURES) => {
        const [, , height, width] = picture(which).shape as [number, number, number, number];
        const data = picture(which).squeeze(0).permute([1, 2, 0]).contiguous().toArray() as Uint8Array;
        return { data, width, height };
      };
      const both = clipPixelValues([rgb("wide"), rgb("tall")], options);
      const each = (["wide", "tall"] as const).flatMap((which) =>
        clipPixelValues(picture(which), options).toNumbers(),
      );
      expect(both.toNumbers()).toEqual(each);
      const twice = clipPixelValues(picture("wide").repeat([2, 1, 1, 1]), options);
      const once = clipPixelValues(picture("wide"), options).toNumbers();
      expect(twice.toNumbers()).toEqual([...once, ...once]);
    });
  });

  it("refuses what is no batch of 8-bit pictures", () => {
    scope(() => {
      const options = clipImageOptions();
      expect(() => clipPixelValues(tensor([[[[0.5]]]]), options)).toThrow(ShapeError);
      expect(() => clipPixelValues(picture("wide").squeeze(0), options)).toThrow(/uint8 \[N, 3, H, W\]/);
    });
  });
});

describe("clipImageOptions", () => {
  it("has CLIPImageProcessor's defaults, which new files write out and old ones in other words", () => {
    const file = JSON.parse(readFileSync(golden("tiny-clip/preprocessor_config.json"), "utf8")) as object;
    expect(clipImageOptions({ ...file })).toEqual(clipImageOptions());
    const old = { feature_extractor_type: "CLIPFeatureExtractor", size: 224, crop_size: 224, resample: 3 };
    expect(clipImageOptions(old)).toEqual(clipImageOptions());
    expect(clipImageOptions()).toMatchObject({
      resize: { shortestEdge: 224 },
      resample: "bicubic",
      crop: { height: 224, width: 224 },
    });
  });

  it("leaves steps out", () => {
    const none = { do_resize: false, do_center_crop: false, do_rescale: false, do_normalize: false };
    expect(clipImageOptions(none)).toEqual({ resample: "bicubic" });
  });

  it.each([
    ["resample", 1],
    ["resample", "bicubic"],
    ["do_pad", true],
    ["do_resize", "yes"],
    ["size", { longest_edge: 224 }],
    ["size", { shortest_edge: 224, longest_edge: 300 }],
    ["size", 0],
    ["size", { height: 224 }],
    ["size", { shortest_edge: "224" }],
    ["crop_size", { shortest_edge: 224 }],
    ["crop_size", 1e9],
    ["crop_size", [224, 224]],
    ["rescale_factor", 0],
    ["rescale_factor", "1/255"],
    ["image_mean", [0.5]],
    ["image_std", [0.5, 0, 0.5]],
    ["image_std", { r: 1 }],
  ])("refuses %s = %j by name", (key, value) => {
    expect(() => clipImageOptions({ [key]: value })).toThrow(ConfigError);
    expect(() => clipImageOptions({ [key]: value })).toThrow(`preprocessor_config.json: ${key} = `);
  });
});
