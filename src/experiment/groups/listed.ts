/** Names for an error message: the first ones, and how many there are. */
export function listed(names: readonly string[], shown = 8): string {
  const some = names
    .slice(0, shown)
    .map((name) => `"${name}"`)
    .join(", ");
  return names.length > shown ? `${some} and ${names.length - shown} more` : some;
}
