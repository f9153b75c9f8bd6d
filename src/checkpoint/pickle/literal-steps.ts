// The opcodes that push a number, a text or bytes.
import type { ReadContext } from "./context.ts";
import type { Cursor } from "./cursor.ts";
import {
  longLength,
  readCount,
  readDecimal,
  readDecimalFloat,
  readEscapedText,
  readFloat,
  readInt32,
  readLong,
  readPython2Text,
  readUtf8,
  textLength,
} from "./literals.ts";
import type { Machine } from "./machine.ts";
import { OP } from "./opcodes.ts";
import type { PyValue } from "./values.ts";

/** What the steps of one pickle work on. */
export interface Run {
  readonly cursor: Cursor;
  readonly context: ReadContext;
  readonly machine: Machine;
}

/** Takes one step; false: the opcode is of another kind. */
export type Step = (opcode: number) => boolean;

export function literalSteps({ cursor, context, machine }: Run): Step {
  const { byte, take } = cursor;
  const count32 = () => readCount(take(4));
  const count64 = () => readCount(take(8));
  const text = (length: number) => readUtf8(take(textLength(length, context)), context);
  const oldText = (length: number) => readPython2Text(take(textLength(length, context)));
  const long = (length: number) => readLong(take(longLength(length, context)));
  // Bytes stay where they are until someone needs them: most are tensors.
  const bytes = (length: number): PyValue => {
    context.spend(128);
    return { kind: "bytes", range: cursor.skip(length) };
  };
  const value = (opcode: number): PyValue | undefined => {
    switch (opcode) {
      case OP.NONE:
        return null;
      case OP.NEWTRUE:
        return true;
      case OP.NEWFALSE:
        return false;
      case OP.BININT:
        return readInt32(take(4));
      case OP.BININT1:
        return byte();
      case OP.BININT2:
        return byte() + 256 * byte();
      case OP.LONG1:
        return long(byte());
      case OP.LONG4:
        return long(count32());
      case OP.BINFLOAT:
        return readFloat(take(8));
      case OP.INT:
      case OP.LONG:
        return readDecimal(cursor.line(), context);
      case OP.FLOAT:
        return readDecimalFloat(cursor.line(), context);
      case OP.UNICODE:
        return readEscapedText(cursor.line(), context);
      case OP.SHORT_BINUNICODE:
        return text(byte());
      case OP.BINUNICODE:
        return text(count32());
      case OP.BINUNICODE8:
        return text(count64());
      case OP.SHORT_BINSTRING:
        return oldText(byte());
      case OP.BINSTRING:
        return oldText(count32());
      case OP.SHORT_BINBYTES:
        return bytes(byte());
      case OP.BINBYTES:
        return bytes(count32());
      case OP.BINBYTES8:
      case OP.BYTEARRAY8:
        return bytes(count64());
      default:
        return undefined;
    }
  };
  return (opcode) => {
    const made = value(opcode);
    if (made !== undefined) machine.push(made);
    return made !== undefined;
  };
}
