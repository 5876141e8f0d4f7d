// Whether a file name found inside a file (a shard in an index, an entry of a manifest) stays inside its directory.
// Judged under POSIX and Windows rules on every system, because a directory made on one is opened on the other.

/** True if joining `name` to a directory cannot leave it: no `..`, root, drive, UNC, backslash or control character. */
export function isRelativeName(name: string): boolean {
  if (name.length === 0 || name.length > 1024 || /[\u0000-\u001f\u007f\\:]/.test(name)) return false
  // An empty segment is a leading, double or trailing slash.
  return name.split('/').every((segment) => !['', '.', '..'].includes(segment))
}
