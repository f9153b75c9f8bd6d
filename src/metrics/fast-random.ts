// A small, fast, seeded generator for resampling (sfc32, Chris Doty-Humphrey, PractRand; public domain algorithm).

/** Returns a function giving uniform numbers in [0, 1) with 32 bits; the same seed gives the same sequence. */
export function fastRandom(seed: number): () => number {
  // Seed words are spread by multiplication (splitmix-like), so that neighbouring seeds start far apart.
  let state = seed >>> 0;
  const word = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) | 0;
  };
  let a = word();
  let b = word();
  let c = word();
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}
