// Ownership of temporaries. JavaScript's collector does not see tensor bytes, so they are released lexically.
import { UserError } from "./errors.ts";

/** Something a scope can release; tensors are the only kind. */
export interface Releasable {
  dispose(): void;
  readonly disposed: boolean;
}

// A list, not a set: adding is what happens most, and what keep() looks for was made a moment ago.
let current: Releasable[] | undefined;

/** Called by every new tensor. */
export function track(item: Releasable): void {
  current?.push(item);
}

/** Takes a tensor out of the current scope's ownership (parameters, buffers, results kept for later). */
export function keep<T extends Releasable>(item: T): T {
  const index = current?.lastIndexOf(item) ?? -1;
  if (index >= 0) current!.splice(index, 1);
  return item;
}

function collect(
  value: unknown,
  into: Set<Releasable>,
  isTensor: (value: object) => value is Releasable,
): void {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
  if (isTensor(value)) into.add(value);
  else if (Array.isArray(value)) for (const item of value) collect(item, into, isTensor);
  else if (value instanceof Map) for (const item of value.values()) collect(item, into, isTensor);
  else if (Object.getPrototypeOf(value) === Object.prototype)
    for (const item of Object.values(value)) collect(item, into, isTensor);
}

const isReleasable = (value: object): value is Releasable => "dispose" in value && "disposed" in value;

/**
 * Runs `fn` and releases every tensor made inside, also on throw, except those in the returned tree
 * (tensors in arrays, maps and plain objects), which the enclosing scope owns from then on.
 *
 * `fn` must be synchronous: a returned Promise throws, because other code would run inside the scope.
 */
export function scope<T>(fn: () => T): T {
  const outer = current;
  const inner: Releasable[] = (current = []);
  const returned = new Set<Releasable>();
  try {
    const result = fn();
    if (result instanceof Promise)
      throw new UserError("scope() got an async function; wrap each synchronous step in a scope instead");
    collect(result, returned, isReleasable);
    return result;
  } finally {
    current = outer;
    for (const item of inner) {
      if (!returned.has(item)) item.dispose();
      else outer?.push(item);
    }
  }
}
