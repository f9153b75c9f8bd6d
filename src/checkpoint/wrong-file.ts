// Files that commonly lie where a checkpoint should be, recognised by how they begin.

/** What a file with these first bytes is instead of a checkpoint of the `wanted` format, and what to do; undefined when unknown. */
export function wrongFile(head: Uint8Array, wanted: "safetensors" | "torch"): string | undefined {
  const text = Buffer.from(head).toString("latin1");
  if (text.startsWith("version https://git-lfs"))
    return "a Git LFS pointer, not the file itself: fetch it with git lfs pull, or download it again";
  if (/^\s*<(!doctype html|html|head|\?xml|!--)/i.test(text))
    return "a web page that was saved instead of the file (a login or an error?): download it again";
  if (wanted === "torch" && text.slice(8, 10) === '{"' && text.slice(5, 8) === "\0\0\0")
    return "a safetensors file, not a PyTorch file: read it as safetensors";
  // A header length can begin like a pickle; then the header itself follows.
  const isPickle = /^(PK\x03\x04|\x80[\x02-\x05])/.test(text) && !/^[{ \t\n\r]/.test(text.slice(8));
  if (wanted === "safetensors" && isPickle)
    return "a PyTorch file (a zip or pickle), not a safetensors file: read it as such, or convert it in Python";
  return undefined;
}
