// The tests that docs/promises.md names exist.
import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const root = new URL('..', import.meta.url)
const table = readFileSync(new URL('docs/promises.md', root), 'utf8')
const rows = Array.from(
  table.matchAll(/^\| \d+ \| .* \| `([^`]+)`: (.+) \|$/gm),
  ([, file, name]) => [file!, name!] as const,
)

it('has a test for every promise', () => {
  expect(rows.length).toBe(table.split('\n').filter((line) => /^\| \d/.test(line)).length)
  expect(rows.length).toBeGreaterThan(20)
})

it.each(rows)('%s: %s', (file, name) => {
  const path = new URL(file, root)
  expect(existsSync(path)).toBe(true)
  expect(readFileSync(path, 'utf8')).toContain(name)
})
