// The group objective and its gradient on the device. Golden: objective. As src/method/objective.test.ts.
import { readFileSync } from "node:fs";
import { groupObjective, perSampleLoss } from "../../../src/method/index.ts";
import { scope } from "../../../src/torch/index.ts";
import { golden } from "../../../test/golden-dir.ts";
import { type Checks, Fixture, gradientOf, largestDifference } from "./checks.ts";
import { OBJECTIVE } from "./tolerances.ts";

interface Case {
  readonly case: number;
  readonly lambda: number;
  readonly loss: number;
  readonly mean: number;
  readonly var: number;
}

/** Loss, mean, variance and gradient: soft and hard groups, absent groups. */
export function checkObjective({ device, within }: Checks): void {
  const cases = JSON.parse(readFileSync(golden("objective.json"), "utf8")) as Case[];
  using fixture = new Fixture("objective.safetensors");
  for (const wanted of cases)
    scope(() => {
      const at = `case ${wanted.case}`;
      const given = (name: string) => fixture.get(`${wanted.case}.${name}`).to(device);
      const prediction = given("prediction").clone().requiresGrad_();
      const losses = perSampleLoss(prediction, given("target"));
      const { loss, mean, variance } = groupObjective(losses, given("groups"), wanted.lambda);
      loss.backward();
      const scaled = (actual: number, value: number) => Math.abs(actual - value) / Math.max(1, value);
      within("objective: loss", at, scaled(loss.item(), wanted.loss), OBJECTIVE);
      within("objective: mean of groups", at, scaled(mean.item(), wanted.mean), OBJECTIVE);
      within("objective: variance of groups", at, Math.abs(variance.item() - wanted.var), OBJECTIVE);
      const gradient = largestDifference(gradientOf(prediction), fixture.get(`${wanted.case}.grad`));
      within("objective: gradient", at, gradient, OBJECTIVE);
    });
}
