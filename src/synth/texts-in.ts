/** All texts in a value, whatever it is, one under another. */
export function textsIn(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'object' && value !== null ? Object.values(value).map(textsIn).filter(Boolean).join('\n') : ''
}
