// What stands for a control token where grammars know bytes alone: its name between two bytes that no text in UTF-8 has. So nothing but a
// structure that names the token lets it come, however a pattern, a grammar or a text may spell it.

const encoder = new TextEncoder()
export const BEFORE = 0xff
export const BEHIND = 0xfe

export function controlBytes(token: string): Uint8Array {
  return Uint8Array.of(BEFORE, ...encoder.encode(token), BEHIND)
}
