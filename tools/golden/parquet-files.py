"""Writes test/golden/parquet-files/: small parquet files as the Hugging Face datasets library and others write them, and their
contents in expected.json: for each file its plain columns, the paths and the SHA-256 of the pictures, row by row.

Needs pyarrow 25:
    python tools/golden/parquet-files.py test/golden/parquet-files [--seed 0]
"""
import argparse
import datetime
import hashlib
import json
import os
import random
import struct
import zlib

import pyarrow as pa
import pyarrow.parquet as pq

args = argparse.ArgumentParser()
args.add_argument("folder")
args.add_argument("--seed", type=int, default=0)
args = args.parse_args()
rng = random.Random(args.seed)
expected = {}
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(width, height):
    """A PNG picture of random pixels."""
    rows = b"".join(b"\0" + rng.randbytes(3 * width) for _ in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def plain(value):
    """A value as the reader gives it."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
    if isinstance(value, float) and value != value:
        return None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53 else value


def write(name, columns, image="image", features=None, **options):
    """Writes one file; `columns` maps names to (type, values)."""
    path = os.path.join(args.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    schema = pa.schema([pa.field(key, kind) for key, (kind, _) in columns.items()])
    if features:
        schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    table = pa.table({key: pa.array(values, kind) for key, (kind, values) in columns.items()}, schema=schema)
    pq.write_table(table, path, **options)
    kept = {}
    for key, (kind, values) in columns.items():
        scalar = not pa.types.is_nested(kind) and not pa.types.is_binary(kind)
        texts = pa.types.is_list(kind) and pa.types.is_string(kind.value_type)
        if key == image or not (scalar or texts):
            continue
        names = (features or {}).get(key, {}).get("names")
        kept[key] = [names[v] if names and v is not None else plain(v) for v in values]
    entry = {"columns": kept}
    if image:
        pictures = columns[image][1]
        structs = [p if isinstance(p, dict) else {"bytes": p, "path": None} for p in pictures]
        entry["paths"] = [p["path"] for p in structs]
        entry["sha256"] = [p["bytes"] is not None and hashlib.sha256(p["bytes"]).hexdigest() for p in structs]
    expected[name] = entry


def pictures(count, prefix="", size=lambda: rng.randint(2, 9)):
    return [{"bytes": png(size(), size()), "path": f"{prefix}{i:04}.png"} for i in range(count)]


# Two shards as push_to_hub writes them: a class label, several row groups, values of many types.
features = {
    "image": {"_type": "Image"},
    "text": {"dtype": "string", "_type": "Value"},
    "label": {"names": ["landbird", "waterbird"], "_type": "ClassLabel"},
}
for shard, (first, count) in enumerate([(0, 7), (7, 5)]):
    images = [{**p, "path": f"{first + i:04}.png"} for i, p in enumerate(pictures(count))]
    kinds = {
        "image": (IMAGE, images),
        "text": (pa.string(), [f"a photo of a bird, “{rng.choice('xyz')}” {first + i}" for i in range(count)]),
        "label": (pa.int64(), [rng.randint(0, 1) for _ in range(count)]),
        "year": (pa.int32(), [rng.randint(1990, 2020) for _ in range(count)]),
        "big": (pa.int64(), [2**60 + i for i in range(count)]),
        "share": (pa.float64(), [None if i == 1 else float("nan") if i == 2 else rng.random() for i in range(count)]),
        "wild": (pa.bool_(), [rng.random() < 0.5 for _ in range(count)]),
        "taken": (pa.timestamp("us", "UTC"), [datetime.datetime(2020, 1, 1 + i, 3, 4, 5, 678000, datetime.timezone.utc) for i in range(count)]),
        "box": (pa.list_(pa.float32()), [[0.0, 1.0, 2.0] for _ in range(count)]),
    }
    write(f"hub/data/train-{shard:05}-of-00002.parquet", kinds, features=features, row_group_size=3)
write(
    "hub/data/validation-00000-of-00001.parquet",
    {"image": (IMAGE, pictures(2)), "text": (pa.string(), ["one", "two"])},
    features={"image": {"_type": "Image"}},
)

# Every way to store a page: codecs, versions, dictionaries, many small pages, an index of pages.
ways = {
    "snappy": {"compression": "snappy"},
    "gzip": {"compression": "gzip"},
    "zstd": {"compression": "zstd"},
    "brotli": {"compression": "brotli"},
    "lz4": {"compression": "lz4"},
    "none": {"compression": "none"},
    "no-dictionary": {"use_dictionary": False},
    "pages-v2": {"data_page_version": "2.0", "use_dictionary": False},
    "many-pages": {"data_page_size": 200, "write_batch_size": 2, "use_dictionary": False, "write_page_index": True},
    "dictionary-then-plain": {"dictionary_pagesize_limit": 600, "data_page_size": 200, "write_batch_size": 2},
    "groups": {"row_group_size": 4, "write_statistics": False},
}
for name, options in ways.items():
    images = pictures(11, "p/")
    # Some twice, so that a dictionary has work; their names stay their own.
    for to, of in [(3, 0), (8, 5), (9, 5)]:
        images[to] = {"bytes": images[of]["bytes"], "path": images[to]["path"]}
    write(f"ways/{name}.parquet", {"image": (IMAGE, images), "text": (pa.string(), [f"t{i % 4}" for i in range(11)])}, **options)

# Other shapes.
texts = (pa.string(), ["a", "b", "c"])
write("shapes/plain-bytes.parquet", {"jpg": (pa.binary(), [p["bytes"] for p in pictures(3)]), "caption": texts}, image="jpg")
write("shapes/required.parquet", {"image": (pa.struct([pa.field("bytes", pa.binary(), False), pa.field("path", pa.string(), False)]), pictures(3)), "text": texts})
write("shapes/caption-lists.parquet", {"image": (IMAGE, pictures(3)), "text": (pa.list_(pa.string()), [["a", "b"], ["c"], ["d", "e", "f"]])})
images = pictures(3)
write("shapes/without-bytes.parquet", {"image": (IMAGE, [images[0], {"bytes": None, "path": "beside.png"}, {"bytes": None, "path": None}]), "text": texts})
write("shapes/same-names.parquet", {"image": (IMAGE, [{**p, "path": "x.png"} for p in pictures(3)]), "text": texts})
write("shapes/two-images.parquet", {"before": (IMAGE, pictures(3)), "after": (IMAGE, pictures(3)), "text": texts}, image="before")
write("shapes/no-image.parquet", {"text": texts, "audio": (IMAGE, pictures(3))}, image=None, features={"audio": {"_type": "Audio"}})
write("shapes/no-rows.parquet", {"image": (IMAGE, []), "text": (pa.string(), [])})
write("shapes/empty-text.parquet", {"image": (IMAGE, pictures(3)), "text": (pa.string(), ["a", "", "c"])})
write("shapes/metadata.parquet", {"file_name": (pa.string(), ["1.png", "2.png"]), "text": (pa.string(), ["a", "b"]), "place": (pa.string(), ["land", "water"])}, image=None)

with open(os.path.join(args.folder, "expected.json"), "w") as file:
    json.dump(expected, file, indent=1, ensure_ascii=False)
    file.write("\n")
