// What every method says of itself. Each folder has one of these, the registry lists them, and commands and pages are made from that list.

/** One row of `anneal methods`. */
export interface MethodEntry {
  /** The same in folder, export, command line, card and lineage. */
  readonly slug: string
  /** One line for people. */
  readonly summary: string
  /** The command or configuration key that uses it. */
  readonly use: string
  /** The paper, with arXiv id, or where it comes from. */
  readonly source: string
}

/** What a method says of itself, and which of its options people know by names of their own. */
export interface Method extends MethodEntry {
  /** Methods that are options of this one, under names that people look for. */
  readonly variants?: readonly MethodEntry[]
}
