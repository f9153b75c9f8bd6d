// Which model is which: the base that the others are compared with, the guided one, their colours and names.
import { modelInk } from "./palette.ts";
import type { Ink } from "./palette.ts";
import type { ImageGrid, ReportData, ReportModel } from "./report-data.ts";

/** The model that the others are compared with; undefined without models. */
export function baseOf({ models, baseModel = "base" }: ReportData): ReportModel | undefined {
  return models.find((model) => model.key === baseModel) ?? models[0];
}

/** The model to lay beside the base: "guided", else the only other one; undefined when there are several others or none. */
export function guidedOf(data: ReportData): ReportModel | undefined {
  const base = baseOf(data);
  const others = data.models.filter((model) => model !== base);
  return others.find((model) => model.key === "guided") ?? (others.length === 1 ? others[0] : undefined);
}

/** The base and, where there is one, the guided model. */
export function mainModels(data: ReportData): { base?: ReportModel; guided?: ReportModel } {
  return { base: baseOf(data), guided: guidedOf(data) };
}

/** Colour of a model: base and guided have their own, the others take turns. */
export function colourOf(data: ReportData, model: ReportModel): Ink {
  const { base, guided } = mainModels(data);
  if (model === base) return "base";
  if (model === guided) return "guided";
  const others = data.models.filter((other) => other !== base && other !== guided);
  return modelInk(others.indexOf(model));
}

/** The model that made a grid of images, by its key or its label. */
export function modelOf(data: ReportData, grid: ImageGrid): ReportModel | undefined {
  return data.models.find((model) => (grid.model ? model.key === grid.model : model.label === grid.label));
}
