// The protocol buffers of event files (tensorflow/core/util/event.proto, framework/summary.proto): field numbers by hand.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { histogramOf } from "./histogram.ts";
import { pngSize } from "./png-size.ts";

type Fill = (writer: BinaryWriter) => unknown;

/** Value of TensorProto.dtype. */
const DT_STRING = 7;
/** Value of SessionLog.status. */
const SESSION_START = 1;
/** Value of Image.colorspace. */
const RGB = 3;

function message(writer: BinaryWriter, field: number, fill: Fill): BinaryWriter {
  writer.tag(field, WireType.LengthDelimited).fork();
  fill(writer);
  return writer.join();
}

const int = (writer: BinaryWriter, field: number, value: number): BinaryWriter =>
  writer.tag(field, WireType.Varint).int64(value);
const double = (writer: BinaryWriter, field: number, value: number): BinaryWriter =>
  writer.tag(field, WireType.Bit64).double(value);
const string = (writer: BinaryWriter, field: number, value: string): BinaryWriter =>
  writer.tag(field, WireType.LengthDelimited).string(value);
const bytes = (writer: BinaryWriter, field: number, value: Uint8Array): BinaryWriter =>
  writer.tag(field, WireType.LengthDelimited).bytes(value);
const doubles = (writer: BinaryWriter, field: number, values: readonly number[]): BinaryWriter =>
  message(writer, field, (packed) => values.forEach((value) => packed.double(value)));

/** An Event of `wallTime` seconds since 1970; `fill` writes what happened. */
export function event(wallTime: number, step: number, fill: Fill): Uint8Array {
  const writer = new BinaryWriter();
  double(writer, 1, wallTime);
  int(writer, 2, step);
  fill(writer);
  return writer.finish();
}

/** The first event of a file. */
export const fileVersion: Fill = (writer) => {
  string(writer, 3, "brain.Event:2");
  message(writer, 10, (source) => string(source, 1, "invdiff"));
};

/** Tells viewers to forget what earlier files say about this event's step and later ones. */
export const sessionStart: Fill = (writer) =>
  message(writer, 7, (log) => log.tag(1, WireType.Varint).int32(SESSION_START));

/** A Summary with one value per fill. */
export const summary =
  (values: readonly Fill[]): Fill =>
  (writer) =>
    message(writer, 5, (body) => values.forEach((fill) => message(body, 1, fill)));

export const scalarValue =
  (tag: string, value: number): Fill =>
  (writer) =>
    string(writer, 1, tag).tag(2, WireType.Bit32).float(Math.fround(value));

/** Errors: DataError when the bytes are no PNG file. */
export function imageValue(tag: string, png: Uint8Array): Fill {
  const { width, height } = pngSize(png);
  return (writer) => {
    string(writer, 1, tag);
    message(writer, 4, (image) => {
      for (const [field, value] of [height, width, RGB].entries()) int(image, field + 1, value);
      bytes(image, 4, png);
    });
  };
}

export function histogramValue(tag: string, values: ArrayLike<number>): Fill {
  const { min, max, count, sum, sumOfSquares, limits, counts } = histogramOf(values);
  return (writer) => {
    string(writer, 1, tag);
    message(writer, 5, (histogram) => {
      for (const [i, value] of [min, max, count, sum, sumOfSquares].entries())
        double(histogram, i + 1, value);
      doubles(histogram, 6, limits);
      doubles(histogram, 7, counts);
    });
  };
}

/** Text is a tensor of one string that the "text" plug-in shows, as Markdown. */
export const textValue =
  (tag: string, text: string): Fill =>
  (writer) => {
    string(writer, 1, tag);
    message(writer, 8, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(DT_STRING);
      message(tensor, 2, (shape) => message(shape, 2, (dim) => int(dim, 1, 1)));
      string(tensor, 8, text);
    });
    message(writer, 9, (metadata) => message(metadata, 1, (plugin) => string(plugin, 1, "text")));
  };
