// Types of setup-lock.mjs.
export declare function ownerText(pid?: number): string;
export declare function isStale(text: string): boolean;
export declare function withLock<T>(
  path: string,
  work: () => T | Promise<T>,
  options?: { waitMs?: number; pollMs?: number; note?: (text: string) => void },
): Promise<T>;
