/** Parts read while a device works on one: one arrives while the other is read. */
export const AHEAD = 2;
