// The opcodes that make and fill lists, tuples, dicts and sets, and those that move values between stack and memo.
import type { Run, Step } from "./literal-steps.ts";
import { readCount, readDecimal } from "./literals.ts";
import { appendTo, fillDict } from "./machine.ts";
import { OP } from "./opcodes.ts";
import { dict, list, type PyList, type PyValue } from "./values.ts";

export function containerSteps({ cursor, context, machine }: Run): Step {
  const { push, pop, popMark, top } = machine;
  const make = (kind: PyList["kind"], items: PyValue[]) => {
    context.spend(72 + 8 * items.length);
    push(list(kind, items));
  };
  const makeDict = (items: PyValue[]) => {
    context.spend(256);
    const made = dict();
    fillDict(made, items, context);
    push(made);
  };
  const last = (count: number) => Array.from({ length: count }, pop).reverse();
  const memoKey = () => Number(readDecimal(cursor.line(), context));

  const steps: Readonly<Record<number, () => void>> = {
    [OP.MARK]: machine.mark,
    [OP.POP]: pop,
    [OP.POP_MARK]: popMark,
    [OP.DUP]: () => push(top()),
    [OP.EMPTY_LIST]: () => make("list", []),
    [OP.LIST]: () => make("list", popMark()),
    [OP.EMPTY_TUPLE]: () => make("tuple", []),
    [OP.TUPLE]: () => make("tuple", popMark()),
    [OP.TUPLE1]: () => make("tuple", last(1)),
    [OP.TUPLE2]: () => make("tuple", last(2)),
    [OP.TUPLE3]: () => make("tuple", last(3)),
    [OP.EMPTY_SET]: () => make("set", []),
    [OP.FROZENSET]: () => make("frozenset", popMark()),
    [OP.EMPTY_DICT]: () => makeDict([]),
    [OP.DICT]: () => makeDict(popMark()),
    [OP.APPEND]: () => {
      const items = last(1);
      appendTo(top(), items, context);
    },
    [OP.APPENDS]: () => {
      const items = popMark();
      appendTo(top(), items, context);
    },
    [OP.ADDITEMS]: () => {
      const items = popMark();
      appendTo(top(), items, context);
    },
    [OP.SETITEM]: () => {
      const items = last(2);
      fillDict(top(), items, context);
    },
    [OP.SETITEMS]: () => {
      const items = popMark();
      fillDict(top(), items, context);
    },
    [OP.MEMOIZE]: () => machine.memoize(),
    [OP.BINPUT]: () => machine.memoize(cursor.byte()),
    [OP.LONG_BINPUT]: () => machine.memoize(readCount(cursor.take(4))),
    [OP.PUT]: () => machine.memoize(memoKey()),
    [OP.BINGET]: () => push(machine.recall(cursor.byte())),
    [OP.LONG_BINGET]: () => push(machine.recall(readCount(cursor.take(4)))),
    [OP.GET]: () => push(machine.recall(memoKey())),
  };
  return (opcode) => {
    steps[opcode]?.();
    return steps[opcode] !== undefined;
  };
}
