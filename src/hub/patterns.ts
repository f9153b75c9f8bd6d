// Patterns of file names as Python's fnmatch and huggingface_hub take them: "*" also crosses "/", "folder/" means all below it.

/** Whether a path matches at least one of the patterns; case counts. */
export function matcher(patterns: readonly string[]): (path: string) => boolean {
  const expressions = patterns.map(expressionOf);
  return (path) => expressions.some((expression) => expression.test(path));
}

function expressionOf(pattern: string): RegExp {
  const glob = pattern.endsWith("/") ? `${pattern}*` : pattern;
  let source = "";
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i] ?? "";
    const set = char === "[" ? /^\[(!?)(\]?[^\]]*)\]/.exec(glob.slice(i)) : null;
    if (char === "*") source += ".*";
    else if (char === "?") source += ".";
    else if (set !== null) {
      const [whole, not, members = ""] = set;
      source += `[${not === "!" ? "^" : ""}${members.replace(/[\\\]^[]/g, "\\$&")}]`;
      i += whole.length - 1;
    } else source += char.replace(/[.+^$(){}|[\]\\/]/, "\\$&");
  }
  return new RegExp(`^${source}$`, "s");
}
