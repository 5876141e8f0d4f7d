// Texts as audits compare them.

/** In small letters, with one space for every run of white space and none around it. */
export function plain(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ').toLowerCase()
}
