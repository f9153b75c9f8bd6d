// The error family for the layers above, which do not look into src/torch; loads no engine.
export { ConfigError, InvDiffError, UserError } from "../torch/errors.ts";
