// Whose work is in the bundle and under which terms.
import { entry, fileEntry } from "./entries.mjs";
import { nodeLicence } from "./node-binary.mjs";

const NODE_NOTICE = `Node.js is licensed under the MIT licence, its bundled libraries under terms of their own:
https://github.com/nodejs/node/blob/${process.version}/LICENSE (this installation of Node.js came without its copy).
`;

/** licenses/THIRD-PARTY.md and the licence of Node.js; the packages keep their own files beside their code. */
export function licenceEntries(packages) {
  const found = nodeLicence();
  const rows = packages.map(
    ({ name, version, license, path }) => `| ${name} | ${version} | ${license} | ${path} |`,
  );
  const text = `# Third-party software in this bundle

The project's own code is under the MIT licence (LICENSE). The following travels with it, unchanged but for files that are
not needed to run it (types, source maps, builds for other platforms, symbols of the Node.js binary).

Node.js ${process.version}, in bin/: licenses/node-LICENSE.

libvips and the libraries inside it (LGPL-3.0-or-later and others) are linked dynamically; replace
node_modules/@img/sharp-libvips-linux-x64/lib/libvips-cpp.so.* to use your own build. Their licences are listed in the README.md there,
their sources are at https://github.com/lovell/sharp-libvips.

| package | version | licence | licence text in |
|---|---|---|---|
${rows.join("\n")}
`;
  const node = "licenses/node-LICENSE";
  return [
    entry("licenses/THIRD-PARTY.md", text),
    found === undefined ? entry(node, NODE_NOTICE) : fileEntry(node, found),
  ];
}
