// The stack, the marks and the memo of a running pickle; every step is checked and paid for.
import type { ReadContext } from "./context.ts";
import { shownName } from "./context.ts";
import { isNode, nodeOf, type PyValue, typeName } from "./values.ts";

export interface Machine {
  readonly push: (value: PyValue) => void;
  readonly pop: () => PyValue;
  readonly top: () => PyValue;
  readonly mark: () => void;
  /** Everything above the last mark, which goes too. */
  readonly popMark: () => PyValue[];
  readonly memoize: (key?: number) => void;
  readonly recall: (key: number) => PyValue;
  readonly isEmpty: () => boolean;
  /** Where in the object tree the pickle is now, such as "state_dict.conv.weight"; for messages. */
  readonly path: () => string;
}

export function makeMachine(context: ReadContext): Machine {
  let stack: PyValue[] = [];
  const outer: PyValue[][] = [];
  const memo = new Map<number, PyValue>();

  const pop = (): PyValue => {
    const value = stack.pop();
    if (value === undefined) context.fail("its pickle takes a value from an empty stack");
    return value;
  };
  return {
    push(value) {
      context.spend(8);
      stack.push(value);
    },
    pop,
    top() {
      const value = stack.at(-1);
      if (value === undefined) context.fail("its pickle looks at an empty stack");
      return value;
    },
    mark() {
      context.spend(64);
      outer.push(stack);
      stack = [];
    },
    popMark() {
      const items = stack;
      stack = outer.pop() ?? context.fail("its pickle ends a group that it never began");
      return items;
    },
    memoize(key = memo.size) {
      const value = stack.at(-1);
      if (value === undefined) context.fail("its pickle remembers a value of an empty stack");
      context.spend(40);
      memo.set(key, value);
    },
    recall(key) {
      const value = memo.get(key);
      if (value === undefined) context.fail(`its pickle recalls memo entry ${key}, which was never stored`);
      return value;
    },
    isEmpty: () => stack.length === 0 && outer.length === 0,
    path: () => pathOf([...outer, stack]),
  };
}

/** The keys and indices that the containers on the stack are about to fill; a level is what lies between two marks. */
function pathOf(levels: readonly (readonly PyValue[])[]): string {
  const parts = levels.map((level, index) => {
    // A level below another one ends in what that other one is for: the function to call, the container to fill.
    const begun = index < levels.length - 1 && isNode(level.at(-1)) ? level.slice(0, -1) : level;
    const container = levels[index - 1]?.at(-1);
    const last = begun.at(-1);
    const isKey = nodeOf(container, "dict")
      ? begun.length % 2 === 1
      : nodeOf(begun.at(-2), "dict") !== undefined;
    if (isKey && !isNode(last)) return String(last);
    const filled = nodeOf(container, "list")?.items.length;
    return filled === undefined ? "" : String(filled + begun.length);
  });
  return shownName(
    parts
      .filter((part) => part !== "")
      .slice(-8)
      .join("."),
  );
}

/** Adds to a list or set. What a refused global would have made takes anything, unseen. */
export function appendTo(target: PyValue, items: readonly PyValue[], context: ReadContext): void {
  if (nodeOf(target, "opaque")) return;
  if (!isNode(target) || (target.kind !== "list" && target.kind !== "set"))
    context.fail(`its pickle appends to a ${typeName(target)}`);
  context.spend(8 * items.length);
  for (const item of items) target.items.push(item);
}

/** Keys and values in turn into a dict. Throws for keys that Python refuses too. */
export function fillDict(target: PyValue, items: readonly PyValue[], context: ReadContext): void {
  if (nodeOf(target, "opaque")) return;
  const { entries } =
    nodeOf(target, "dict") ?? context.fail(`its pickle sets items of a ${typeName(target)}`);
  if (items.length % 2 !== 0) context.fail("its pickle gives a dict a key without a value");
  context.spend(24 * items.length);
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i]!;
    if (isNode(key) && ["list", "set", "dict", "array"].includes(key.kind))
      context.fail(`its pickle uses a ${key.kind} as a key`);
    entries.set(key, items[i + 1]!);
  }
}
