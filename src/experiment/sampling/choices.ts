// What sampling can be asked for by name; without the engine, so that help and mistakes answer at once.

/** The names of schedulers/load-scheduler.ts. */
export const SAMPLING_SCHEDULERS = ["ddim", "ddpm", "pndm", "euler", "dpmsolver++"] as const;
export const TIMESTEP_SPACINGS = ["leading", "linspace", "trailing"] as const;
export const SAMPLING_DTYPES = ["float32", "bfloat16", "float16"] as const;
