// invdiff doctor: prints what this machine offers and what to do about what is missing.
import { styleText } from "node:util";
import type { Program } from "./program.ts";

const MARKS = { ok: ["ok", "green"], warning: ["note", "yellow"], problem: ["MISSING", "red"] } as const;

export function addDoctor(program: Program): void {
  program
    .command("doctor")
    .description("print what was found on this machine and what to do about what is missing")
    .action(async () => {
      const { doctor } = await import("../experiment/doctor.ts");
      const { facts, healthy } = await doctor();
      const width = Math.max(...facts.map(({ name }) => name.length));
      for (const { name, status, value, advice } of facts) {
        const [mark, colour] = MARKS[status];
        const coloured = process.stdout.isTTY ? styleText(colour, mark.padEnd(7)) : mark.padEnd(7);
        console.log(`${coloured}  ${name.padEnd(width)}  ${value}`);
        if (advice !== undefined) console.log(`${" ".repeat(9 + width + 2)}-> ${advice}`);
      }
      console.log(healthy ? "\nReady." : "\nNot ready: see what is marked MISSING.");
      if (!healthy) process.exitCode = 1;
    });
}
