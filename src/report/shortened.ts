// Text of an untrained model, as a page shows it.

/** A text without the empty lines that an untrained model likes to write. */
export function shortened(text: string): string {
  return text.replaceAll(/\n(?:[ \t]*\n){2,}/g, '\n\n').trimEnd()
}
