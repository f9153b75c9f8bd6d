// Rows through a network in pieces of one size, the last one filled up: libtorch chooses its kernels by the size of the
// batch, so that the same picture gives other last bits in another batch (measured: 8e-6 for latents of 11 between a batch
// of one and of eight). In pieces of one size that is a power of two a row's result depends on nothing but the row
// (measured: no bit differs, at any place, beside any other rows, with one and with two threads).
import { cat, scope, type Tensor } from "../../torch/index.ts";

/** `encode` of all rows [N, ...], called with exactly `size` of them each time, in order. */
export function inEqualPieces(rows: Tensor, size: number, encode: (piece: Tensor) => Tensor): Tensor {
  const count = rows.shape[0]!;
  return scope(() => {
    const parts: Tensor[] = [];
    for (let first = 0; first < count; first += size) {
      const last = Math.min(first + size, count);
      parts.push(
        scope(() => {
          const piece = rows.slice(0, first, last);
          if (last - first === size) return encode(piece);
          const fill = piece
            .slice(0, last - first - 1)
            .expand([size - (last - first), ...rows.shape.slice(1)]);
          return encode(cat([piece, fill], 0))
            .slice(0, 0, last - first)
            .clone();
        }),
      );
    }
    return parts.length === 1 ? parts[0]! : cat(parts, 0);
  });
}

/**
 * Pictures of a piece: large ones fill the machine alone, small ones gain by company; on a processor little beyond four,
 * while filling up the last piece costs.
 */
export function picturesPerPiece(resolution: number, device: string): number {
  const [pixels, most] = device === "cpu" ? [2 ** 14, 4] : [2 ** 20, 32];
  const fitting = Math.floor(Math.log2(Math.max(1, pixels / resolution ** 2)));
  return Math.min(2 ** fitting, most);
}

/** Texts of a piece. */
export const textsPerPiece = (device: string): number => (device === "cpu" ? 4 : 32);
