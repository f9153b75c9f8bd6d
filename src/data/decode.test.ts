// Decoded pictures against PIL (tools/golden/pillow-resize.py), every byte exact.
import { describe, expect, it } from "vitest";
import { ownGolden } from "../../test/own-golden.ts";
import { decode } from "./decode.ts";

const expected = ownGolden("pillow-resize");
const bytes = (key: string): Uint8Array => expected.get(key).toArray() as Uint8Array;

describe("decode", () => {
  it.each(expected.json("encoded") as string[])("equals PIL: %s", async (name) => {
    const [height, width] = expected.get(`decoded ${name}`).shape;
    const image = await decode(name, bytes(`file ${name}`));
    expect({ ...image, data: new Uint8Array(image.data) }).toEqual({
      ...{ height, width },
      data: bytes(`decoded ${name}`),
    });
  });

  it("takes bytes that are part of something larger", async () => {
    const file = bytes("file 420.jpg");
    const larger = new Uint8Array(file.length + 20).fill(7);
    larger.set(file, 10);
    const image = await decode("part", larger.subarray(10, -10));
    expect(new Uint8Array(image.data)).toEqual(bytes("decoded 420.jpg"));
  });
});
