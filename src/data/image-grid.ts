/** Contact sheets: many small pictures in one PNG. */
import sharp from "sharp";
import { ShapeError, scope, type Tensor } from "../torch/index.ts";

export interface ImageGridOptions {
  readonly columns: number;
  /** Whole number of screen pixels per picture pixel. */
  readonly scale?: number;
  /** White pixels between pictures. */
  readonly gap?: number;
}

/** PNG of uint8 pictures [N, 3, H, W] in rows; empty places stay white. */
export async function imageGrid(images: Tensor, options: ImageGridOptions): Promise<Buffer> {
  const { columns, scale = 1, gap = 2 } = options;
  const [count = 0, channels, height = 0, width = 0] = images.shape;
  if (images.ndim !== 4 || channels !== 3 || count === 0 || images.dtype !== "uint8")
    throw new ShapeError(
      `imageGrid was given ${images.dtype} [${images.shape.join(", ")}]; expected uint8 [N, 3, H, W].`,
    );
  for (const [name, value] of Object.entries({ columns, scale, "gap + 1": gap + 1 }))
    if (!Number.isInteger(value) || value < 1)
      throw new ShapeError(`imageGrid was given ${name} = ${value}; expected a whole number of at least 1.`);
  const data = scope(() => images.contiguous().toArray() as Uint8Array);
  const [cellWidth, cellHeight] = [width * scale + gap, height * scale + gap];
  const used = Math.min(columns, count);
  const canvasWidth = used * cellWidth - gap;
  const canvasHeight = Math.ceil(count / columns) * cellHeight - gap;
  const canvas = Buffer.alloc(canvasWidth * canvasHeight * 3, 255);
  const plane = width * height;
  for (let i = 0; i < count; i++) {
    const left = (i % columns) * cellWidth;
    const top = Math.floor(i / columns) * cellHeight;
    for (let y = 0; y < height * scale; y++) {
      let to = ((top + y) * canvasWidth + left) * 3;
      const row = i * 3 * plane + Math.floor(y / scale) * width;
      for (let x = 0; x < width * scale; x++) {
        const from = row + Math.floor(x / scale);
        for (let c = 0; c < 3; c++) canvas[to++] = data[from + c * plane] as number;
      }
    }
  }
  return sharp(canvas, { raw: { width: canvasWidth, height: canvasHeight, channels: 3 } })
    .png()
    .toBuffer();
}
