// Runs a pickle. Nothing that it names is ever called: globals come from an allow-list (allow-list.ts) whose entries are functions of
// our own that only describe tensors and plain data. Our own and not a library's, because this is where hostile files arrive:
// limits on memory, depth and sizes have to be part of the machine itself.
import { containerSteps } from "./container-steps.ts";
import type { ReadContext } from "./context.ts";
import type { Cursor } from "./cursor.ts";
import { literalSteps } from "./literal-steps.ts";
import { makeMachine } from "./machine.ts";
import { objectSteps, type PersistentLoad } from "./object-steps.ts";
import { OP } from "./opcodes.ts";
import type { PyValue } from "./values.ts";

export interface Unpickled {
  readonly value: PyValue;
  /** Protocol the pickle declares; 0 when it declares none. */
  readonly protocol: number;
}

/** Runs one pickle up to its STOP, which the cursor is behind afterwards. Throws CheckpointError. */
export function unpickle(cursor: Cursor, context: ReadContext, persistentLoad: PersistentLoad): Unpickled {
  const machine = makeMachine(context);
  const run = { cursor, context, machine };
  const [literal, container] = [literalSteps(run), containerSteps(run)];
  const object = objectSteps(run, persistentLoad);
  let protocol = 0;
  return context.within(machine.path, () => {
    for (let opcode = cursor.byte(); opcode !== OP.STOP; opcode = cursor.byte()) {
      if (literal(opcode) || container(opcode) || object(opcode)) continue;
      if (opcode === OP.PROTO) protocol = checkProtocol(cursor.byte(), context);
      else if (opcode === OP.FRAME) cursor.frame();
      else {
        const at = cursor.position() - 1;
        const hint = at === 0 ? " (is it a PyTorch file?)" : "";
        context.fail(`opcode 0x${opcode.toString(16)} at byte ${at} is not one that Python writes${hint}`);
      }
    }
    const value = machine.pop();
    if (!machine.isEmpty()) context.fail("its pickle stops with values left on the stack");
    return { value, protocol };
  });
}

function checkProtocol(protocol: number, context: ReadContext): number {
  if (protocol > 5) context.fail(`its pickle has protocol ${protocol}; known are 0 to 5`);
  return protocol;
}
