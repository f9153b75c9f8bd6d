// Tensors of a safetensors file, mapped into memory: opening costs no reading, pages load when they are used.
import { dtypes, fromFile, keep, scope, type Tensor, zeros } from "../torch/index.ts";
import { readSafetensorsHeader, type TensorEntry } from "./safetensors-header.ts";

/**
 * All tensors of a file by name, in the file's order, on the CPU. The mapping is private: writing into a tensor never changes the file.
 * The caller owns the tensors (no scope releases them) and disposes of them. Throws CheckpointError naming file and tensor.
 */
export function readSafetensors(path: string): Map<string, Tensor> {
  const { tensors, fileBytes } = readSafetensorsHeader(path);
  return scope(() => {
    const file = fromFile(path, false, fileBytes, { dtype: "uint8" });
    // A scope for each: the steps towards a view count as memory as large as the view, and too much of it wakes the collector.
    return new Map([...tensors].map(([name, entry]) => [name, keep(scope(() => view(file, entry)))]));
  });
}

function view(file: Tensor, { dtype, shape, begin, end }: TensorEntry): Tensor {
  if (begin === end) return zeros([...shape], { dtype });
  const bytes = file.slice(0, begin, end);
  // Older writers do not align the data; a view needs it to be.
  const aligned = begin % dtypes[dtype].bytes === 0 ? bytes : bytes.clone();
  return aligned.viewDtype(dtype).view([...shape]);
}
