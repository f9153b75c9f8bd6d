"""Reads the event files of a training with TensorBoard itself and compares them with metrics.jsonl.

    python tools/python/check_events.py RUN

RUN is a stage's folder with metrics.jsonl and events.out.tfevents files, of an interrupted and resumed run too: every value of
metrics.jsonl must be there once, at its step, and nothing that the resumed run took back. Prints what was read; exit status
0 when all agree, 2 otherwise. Needs tensorboard.
"""

import json
import math
import os
import struct
import sys

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

run = sys.argv[1]
failures = 0


def fail(message):
    global failures
    failures += 1
    print(f"WRONG: {message}")


def single(value):
    """The nearest float32, which is what event files hold."""
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


files = sorted(name for name in os.listdir(run) if "tfevents" in name)
for name in files:
    events = list(EventFileLoader(os.path.join(run, name)).Load())
    print(f"{name}: {len(events)} events, version {events[0].file_version!r}")
    if events[0].file_version != "brain.Event:2":
        fail("the first event does not say the file's version")

# Size guidance 0: keep everything. This accumulator turns every kind of value into tensors, as TensorBoard's pages see them.
merged = EventAccumulator(run, tensor_size_guidance={name: 0 for name in ("scalars", "images", "histograms", "text")})
merged.Reload()
values = {}
kinds = {}
for tag in merged.Tags()["tensors"]:
    kinds[tag] = merged.SummaryMetadata(tag).plugin_data.plugin_name
    values[tag] = [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in merged.Tensors(tag)]
    steps = [step for step, _ in values[tag]]
    if steps != sorted(set(steps)):
        fail(f"{tag} has a step twice, or out of order: {steps}")

expected = {}
with open(os.path.join(run, "metrics.jsonl")) as lines:
    for line in map(json.loads, lines):
        for name, value in line.items():
            if name != "step":
                expected.setdefault(name, []).append((line["step"], single(float(value))))

for name, rows in expected.items():
    found = [(step, float(value)) for step, value in values.get(name, [])]
    same = len(found) == len(rows) and all(
        a[0] == b[0] and (a[1] == b[1] or math.isnan(a[1]) and math.isnan(b[1])) for a, b in zip(found, rows)
    )
    print(f"scalar {name}: {len(found)} values")
    if not same:
        fail(f"metrics.jsonl has {rows[:5]}..., TensorBoard {found[:5]}...")

for tag in sorted(set(values) - set(expected)):
    step, value = values[tag][-1]
    text = f"{kinds[tag]} {tag}: steps {[step for step, _ in values[tag]]}"
    if kinds[tag] == "images":
        text += f", {value[0].decode()}x{value[1].decode()} pixels"
    if kinds[tag] == "histograms":
        text += f", {value[:, 2].sum():g} values from {value[0, 0]:g} to {value[-1, 1]:g} in {len(value)} buckets"
    print(text)

print("TensorBoard and metrics.jsonl agree." if failures == 0 else f"{failures} checks failed.")
sys.exit(0 if failures == 0 else 2)
