// Where two calls differ, in a line.

/** JSON with its keys in order: the same for what is the same. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/** Which of `others` is nearest, and where `asked` differs from it first. */
export function differenceOf(asked: unknown, others: readonly unknown[]): string {
  if (others.length === 0) return 'none is recorded'
  const text = canonical(asked)
  const lengths = others.map((other) => alike(text, canonical(other)))
  const nearest = others[lengths.indexOf(Math.max(...lengths))]
  const { path, recorded, given } = first(JSON.parse(canonical(nearest)), JSON.parse(text), '')!
  if (typeof recorded !== 'string' || typeof given !== 'string')
    return `the nearest has ${shown(recorded)} as ${path}, asked was ${shown(given)}`
  const at = alike(recorded, given)
  return `the nearest differs in ${path} at character ${at}: ${excerpt(recorded, at)} is recorded, ${excerpt(given, at)} was asked`
}

/** Characters that both begin with. */
function alike(a: string, b: string): number {
  let at = 0
  while (at < a.length && at < b.length && a[at] === b[at]) at++
  return at
}

function first(
  recorded: unknown,
  given: unknown,
  path: string,
): { path: string; recorded: unknown; given: unknown } | undefined {
  if (canonical(recorded ?? null) === canonical(given ?? null)) return undefined
  const isOpen = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
  if (!isOpen(recorded) || !isOpen(given)) return { path: path === '' ? 'it' : path, recorded, given }
  for (const key of new Set([...Object.keys(recorded), ...Object.keys(given)])) {
    const inner = Array.isArray(recorded) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`
    const found = first(recorded[key], given[key], inner)
    if (found !== undefined) return found
  }
  return undefined
}

const shown = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 60))

const excerpt = (text: string, at: number): string =>
  JSON.stringify(`${at > 15 ? '…' : ''}${text.slice(Math.max(0, at - 15), at + 25)}${at + 25 < text.length ? '…' : ''}`)
