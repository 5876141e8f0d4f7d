// Texts as audits compare them.

/** In small letters, in Unicode's composed form, with one space for every run of white space and none around it. */
export function plain(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ').normalize('NFC').toLowerCase()
}

/** Whether `text` has `sign` in it, however both are spaced and composed, in any case of letters. */
export function shows(text: string, sign: string): boolean {
  return plain(text).includes(plain(sign))
}
