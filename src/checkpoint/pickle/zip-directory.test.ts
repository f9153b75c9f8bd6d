// Archives that torch would not write: every difference is refused, none is guessed away.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  bytesOf,
  dict,
  pickle,
  tensor,
  text,
  torchEntries,
  uint,
  zip,
  type ZipEntry,
} from "../../../test/pickle-bytes.ts";
import { disposeTree, torchFile } from "../../../test/torch-files.ts";
import { CheckpointError } from "../../torch/index.ts";
import { describeTorchFile, readTorchFile, readTorchStateDict } from "./index.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "torch-zip-"));
  path = join(folder, "x.pth");
});
afterEach(() => rmSync(folder, { recursive: true }));

const object = pickle(dict(text("a"), tensor()));
const entries = torchEntries(object);
/** The archive with one entry changed. */
const changed = (name: string, change: Partial<ZipEntry>) =>
  zip(entries.map((entry) => (entry.name === name ? { ...entry, ...change } : entry)));
const extraEntry = (entry: Partial<ZipEntry>) =>
  zip([...entries, { name: "x/more", data: Buffer.from("1"), ...entry }]);

function refused(bytes: Uint8Array, message: RegExp): void {
  writeFileSync(path, bytes);
  for (const read of [readTorchFile, readTorchStateDict, describeTorchFile]) {
    expect(() => read(path)).toThrow(CheckpointError);
    expect(() => read(path)).toThrow(message);
    expect(() => read(path)).toThrow(/x\.pth/);
  }
}

function accepted(bytes: Uint8Array): void {
  writeFileSync(path, bytes);
  const state = readTorchStateDict(path);
  expect(state.get("a")!.toNumbers()).toEqual([1, 2, 3, 4]);
  state.forEach((value) => value.dispose());
}

describe("accepted", () => {
  it("plain, with a comment, with zip64 records, with folders and other files", () => {
    accepted(zip(entries));
    accepted(zip(entries, { comment: Buffer.from("a comment") }));
    accepted(zip(entries, { zip64: {} }));
    accepted(zip(entries, { zip64: {}, end: { size: 0xffffffff, begin: 0xffffffff, count: 0xffff } }));
    accepted(extraEntry({ name: "x/", data: Buffer.alloc(0) }));
    accepted(extraEntry({ name: "x/.data/serialization_id" }));
  });

  it("a size in the zip64 extra of an entry", () => {
    const extra = bytesOf(uint(1, 2), uint(16, 2), uint(16, 8), uint(16, 8));
    accepted(changed("x/data/0", { says: { size: 0xffffffff, stored: 0xffffffff }, extra }));
    refused(changed("x/data/0", { says: { size: 0xffffffff, stored: 0xffffffff } }), /impossible sizes/);
    const huge = bytesOf(uint(1, 2), uint(16, 2), uint(2n ** 63n, 8), uint(2n ** 63n, 8));
    refused(
      changed("x/data/0", { says: { size: 0xffffffff, stored: 0xffffffff }, extra: huge }),
      /impossible sizes/,
    );
    const cut = bytesOf(uint(1, 2), uint(400, 2), uint(16, 8));
    refused(
      changed("x/data/0", { says: { size: 0xffffffff, stored: 0xffffffff }, extra: cut }),
      /impossible sizes/,
    );
  });

  it("data at any alignment", () => {
    for (let length = 1; length < 8; length++)
      accepted(zip([{ name: "x/pad", data: Buffer.alloc(length) }, ...entries]));
  });
});

describe("entries", () => {
  it.each(["/etc/passwd", "../x", "x/../y", "x/./y", "x\\y", "C:/x", "x\0y", "", "x/\u001b[2J", ".."])(
    "with the name %j are refused",
    (name) => refused(extraEntry({ name }), /odd entry name/),
  );

  it("that are there twice, compressed or encrypted are refused", () => {
    refused(
      extraEntry({ name: "x/data/0" }),
      /entry x\/data\/0 is there twice|entry "x\/data\/0" is there twice/,
    );
    // A thousand to one: what it would become is never looked at.
    const bomb = deflateRawSync(Buffer.alloc(1 << 20));
    refused(
      extraEntry({ data: bomb, says: { method: 8, size: 1 << 20, stored: bomb.length } }),
      /compressed \(method 8\)/,
    );
    refused(extraEntry({ says: { flags: 0x801 } }), /encrypted/);
    refused(extraEntry({ says: { flags: 0x2000 } }), /unknown flags/);
  });

  it("that lie about their size are refused", () => {
    refused(changed("x/data/0", { says: { size: 12 } }), /described in two different ways/);
    refused(changed("x/data/0", { says: { size: 12, stored: 16 } }), /impossible sizes/);
    refused(changed("x/version", { says: { size: 1 << 20 } }), /described in two different ways/);
    // With the flag that sizes come after the data, the local header need not tell.
    refused(
      changed("x/data/0", { says: { size: 1 << 30, flags: 0x808 } }),
      /two different ways|does not fit/,
    );
  });

  it("that overlap or begin outside are refused", () => {
    refused(changed("x/data/0", { says: { header: 0 } }), /overlaps|two different ways/);
    refused(changed("x/data/0", { says: { header: 0xfffffff } }), /begins outside/);
    refused(changed("x/data/0", { says: { header: 1 } }), /two different ways|overlaps/);
  });

  it("that have another name in front of their data are refused", () => {
    refused(changed("x/data/0", { saysName: "x/data/1" }), /two different ways/);
  });
});

describe("directories", () => {
  it("that are not where they say are refused", () => {
    refused(zip(entries, { end: { begin: 0 } }), /not where it says/);
    refused(zip(entries, { end: { size: 10 } }), /not where it says/);
    refused(zip(entries, { end: { count: 60_000 } }), /not where it says/);
    refused(zip(entries, { end: { count: 5 } }), /no entry|middle of an entry|not where it says/);
    refused(zip(entries, { end: { count: 3 } }), /bytes after its last entry/);
    refused(zip(entries, { end: { disk: 1 } }), /contradicts itself/);
    refused(bytesOf("PK\x03\x04 more", zip(entries)), /not where it says/);
    refused(bytesOf(zip(entries), "more"), /without its directory/);
    refused(zip(entries, { prefix: Buffer.from("PK") }).subarray(0, 100), /without its directory/);
  });

  it("of zip64 that make no sense are refused", () => {
    const wide = (fields: object) => zip(entries, { zip64: fields });
    refused(wide({ record: 0 }), /zip64 directory is not where/);
    refused(wide({ record: 2n ** 63n }), /zip64 directory is not where/);
    refused(wide({ recordSize: 2n ** 60n }), /zip64 directory contradicts/);
    refused(wide({ count: 2n ** 40n }), /contradicts itself/);
    refused(wide({ begin: 2n ** 62n }), /contradicts itself/);
    const saturated = { end: { size: 0xffffffff, begin: 0xffffffff, count: 0xffff } };
    refused(zip(entries, { ...saturated, zip64: { count: 2n ** 40n } }), /not where it says/);
    refused(zip(entries, { ...saturated, zip64: { size: 2n ** 62n } }), /not where it says/);
    refused(zip(entries, saturated), /not where it says/);
  });
});

describe("archives that are no checkpoints", () => {
  const without = (name: string) => zip(entries.filter((entry) => entry.name !== name));
  it("say what they are", () => {
    refused(zip([{ name: "photo.jpg", data: Buffer.alloc(9) }]), /0 pickles of torch; it holds photo\.jpg/);
    refused(zip([]), /without its directory|holds nothing/);
    refused(zip([...entries, { name: "y/data.pkl", data: object }]), /2 pickles of torch/);
    refused(without("x/data/0"), /storage 0 is not in the archive|cannot be read/);
    refused(zip([...entries, { name: "x/constants.pkl", data: object }]), /TorchScript/);
    refused(changed("x/byteorder", { data: Buffer.from("big") }), /byte order is big/);
    refused(changed("x/byteorder", { data: Buffer.alloc(100) }), /byte order is/);
    refused(changed("x/data.pkl", { data: bytesOf(object, "more") }), /4 bytes follow its pickle/);
    refused(changed("x/data.pkl", { data: Buffer.alloc(0) }), /1 bytes are needed/);
  });
});

describe("damage", () => {
  it("by cutting at any byte is refused", () => {
    const bytes = readFileSync(torchFile("storage.pth"));
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(() => readTorchFile(path), `${length} bytes`).toThrow(CheckpointError);
      expect(() => describeTorchFile(path), `${length} bytes`).toThrow(CheckpointError);
    }
  });

  it("of any byte is refused or harmless", () => {
    for (const name of ["storage.pth", "tensor.pkl", "views-legacy.pth"]) {
      const bytes = readFileSync(torchFile(name));
      for (let at = 0; at < bytes.length; at++) {
        const original = bytes[at]!;
        bytes[at] = original ^ (1 << (at % 8));
        writeFileSync(path, bytes);
        bytes[at] = original;
        try {
          disposeTree(readTorchFile(path));
        } catch (error) {
          expect(error, `${name}, byte ${at}`).toBeInstanceOf(CheckpointError);
        }
      }
    }
  });
});
