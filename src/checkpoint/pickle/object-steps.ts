// The opcodes that name, call and fill objects, all through the allow-list.
import { buildState, callGlobal, globalOf, newObject } from "./allow-list.ts";
import type { Run, Step } from "./literal-steps.ts";
import { readName } from "./literals.ts";
import { OP } from "./opcodes.ts";
import { dict, type PyValue, typeName } from "./values.ts";

/** What stands for an object kept outside of the pickle: torch's storages. Throws CheckpointError for anything else. */
export type PersistentLoad = (id: PyValue) => PyValue;

export function objectSteps({ cursor, context, machine }: Run, persistentLoad: PersistentLoad): Step {
  const { push, pop, top } = machine;
  const name = () => readName(cursor.line(), context);
  const shortText = (value: PyValue): string =>
    typeof value === "string" && value.length <= 1024
      ? value
      : context.fail(`its pickle names a global by a ${typeName(value)}`);
  const steps: Readonly<Record<number, () => void>> = {
    [OP.GLOBAL]: () => {
      const module = name();
      push(globalOf(`${module}.${name()}`, context));
    },
    [OP.STACK_GLOBAL]: () => {
      const last = shortText(pop());
      push(globalOf(`${shortText(pop())}.${last}`, context));
    },
    [OP.REDUCE]: () => {
      const args = pop();
      push(callGlobal(pop(), args, context));
    },
    [OP.NEWOBJ]: () => {
      const args = pop();
      push(newObject(pop(), [args, dict()], context));
    },
    [OP.NEWOBJ_EX]: () => {
      const keywords = pop();
      const args = pop();
      push(newObject(pop(), [args, keywords], context));
    },
    [OP.BUILD]: () => {
      const state = pop();
      buildState(top(), state, context);
    },
    [OP.BINPERSID]: () => push(persistentLoad(pop())),
  };
  return (opcode) => {
    steps[opcode]?.();
    return steps[opcode] !== undefined;
  };
}
