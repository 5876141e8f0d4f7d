// What PyYAML 6.0.3 makes of plain texts (`yaml.safe_load('k: ' + text)['k']`).
import { expect, it } from 'vitest'
import { parsePyYaml } from './py-yaml.ts'

const read = (text: string): unknown => (parsePyYaml(`k: ${text}\n`, 'f') as { k: unknown }).k

it.each(['y', 'n', 'Y', 'N', '.', '..', '-.5', '1e3', '1e-3', '1.0e3', 'E0', 'e9', '._5', '08', '0:0', '0o17', 'tRue'])(
  'is a text: %s',
  (text) => {
    expect(read(text)).toBe(text)
  },
)

it.each([
  ['yes', true],
  ['Off', false],
  ['~', null],
  ['', null],
  ['NULL', null],
  ['017', 15],
  ['-0b1_0', -2],
  ['0x1F', 31],
  ['0_', 0],
  ['1_000', 1000],
  ['1:30', 90],
  ['190:20:30', 685230],
  ['-1:30.5', -90.5],
  ['5.', 5],
  ['.5', 0.5],
  ['1.0e+3', 1000],
  ['-.INF', Number.NEGATIVE_INFINITY],
  ['.nan', Number.NaN],
  ['"yes"', 'yes'],
  ['!!str 12', '12'],
  ['[y, no, 1e3]', ['y', false, '1e3']],
  ['2001-01-01', '2001-01-01'],
])('reads %s', (text, value) => {
  expect(read(text)).toEqual(value)
})

it('merges, takes the last of two equal keys, and keeps texts of many lines', () => {
  expect(parsePyYaml('a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\nc: 1\nc: |\n  t\n  u\n', 'f')).toEqual({
    a: { x: 1, y: 2 },
    b: { x: 3, y: 2 },
    c: 't\nu\n',
  })
})

it('refuses what has no end, or grows without one, by file', () => {
  expect(() => parsePyYaml('a: &a\n  b: *a\n', 'f.yaml')).toThrow(/^YAML in f\.yaml: .*an anchor within itself/)
  const lists = Array.from({ length: 9 }, (_, i) => `a${i}: &a${i} [${i === 0 ? 'x' : Array(9).fill(`*a${i - 1}`)}]`)
  expect(() => parsePyYaml(lists.join('\n'), 'f.yaml')).toThrow(/^YAML in f\.yaml: anchors and aliases: /)
})
