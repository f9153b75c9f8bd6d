// Makes a fresh clone ready to run: npm packages, libtorch, the native addon, dist/. Needs nothing but Node.
// `npm run quickstart` and `npm test` start here; when all is up to date it costs a fraction of a second.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAddon, recordSetup } from "./build-addon.mjs";
import { buildDist } from "./build-dist.mjs";
import { handleSignals } from "./child.mjs";
import { ensureLibtorch } from "./install-libtorch.mjs";
import { installPackages } from "./install-packages.mjs";
import { PROJECT_ROOT, SetupError } from "./locate-libtorch.mjs";
import { withLock } from "./setup-lock.mjs";

/** Throws when this system cannot run the project at all. */
export function checkSystem({ node = process.versions.node, platform = process.platform } = {}) {
  const [major = 0, minor = 0] = node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 11)) {
    throw new SetupError(
      `Node ${node} is too old; 20.11 or newer is needed. Install one from https://nodejs.org.`,
    );
  }
  if (platform !== "linux" && platform !== "darwin") {
    throw new SetupError(`${platform} is not supported; Linux or macOS is needed. On Windows use WSL 2.`);
  }
}

/** Runs the four steps in order and tells `print` one line for each. */
export async function bootstrap(root, print) {
  const note = (text) => print(`setup: ${text}`);
  const step = async (work) => {
    const start = performance.now();
    const [text, value] = await work();
    note(`${text} (${((performance.now() - start) / 1000).toFixed(2)} s)`);
    return value;
  };
  await withLock(
    join(root, "build", "setup.lock"),
    async () => {
      await step(async () => [await installPackages(root, note)]);
      const libtorch = await step(async () => {
        const found = await ensureLibtorch(root, note);
        const device = found.cuda === null ? "CPU" : `CUDA ${found.cuda}`;
        return [`libtorch ${found.version}, ${device}, from ${found.source}: ${found.path}`, found];
      });
      await step(async () => {
        const { addon, compiled, fresh, warnings } = await buildAddon({ root, libtorch, note });
        if (warnings) print(warnings);
        recordSetup({ root, libtorch, addon });
        return [fresh ? "addon up to date" : `addon built, ${compiled} sources compiled`];
      });
      await step(async () => [await buildDist(root, note)]);
    },
    { note },
  );
}

const ENVIRONMENT_CODES = new Set(["ENOSPC", "EDQUOT", "EACCES", "EPERM", "EROFS", "EMFILE", "ENOENT"]);

/** What to tell for a failure, and the exit code: 1 for the user's environment, 2 for a fault of ours. */
export function describeFailure(error) {
  if (error instanceof SetupError) return { text: error.message, exitCode: error.exitCode };
  if (ENVIRONMENT_CODES.has(error?.code)) {
    return { text: `${error.message}\nCheck free disk space and rights, then start again.`, exitCode: 1 };
  }
  return { text: error?.stack ?? String(error), exitCode: 2 };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  handleSignals();
  try {
    checkSystem();
    await bootstrap(PROJECT_ROOT, (line) => console.error(line));
  } catch (error) {
    const { text, exitCode } = describeFailure(error);
    console.error(`setup failed: ${text}`);
    process.exitCode = exitCode;
  }
}
