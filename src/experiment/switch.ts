/** What can be left to the program; in a file of its own, so that a command's help does not load the schema. */
export const SWITCH = ["auto", "on", "off"] as const;
