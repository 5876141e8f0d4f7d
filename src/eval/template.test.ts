// Templates of tasks are Jinja's as it stands by itself: the texts are jinja2 3.1.6's (StrictUndefined, keep_trailing_newline).
import { expect, it } from 'vitest'
import { findSplit } from './documents.ts'
import { renderField } from './template.ts'

const doc = { o: { z: "é'<&>", a: 1.5 }, l: [1, { b: null }] }

it.each([
  ['{{ o|tojson }}', '{"a": 1.5, "z": "\\u00e9\\u0027\\u003c\\u0026\\u003e"}'],
  ['{{ l|tojson(indent=1) }}', '[\n 1,\n {\n  "b": null\n }\n]'],
  ["{{ 'a<' ~ (l|tojson) }}", 'a<[1, {"b": null}]'],
])('writes %s', (source, text) => {
  expect(renderField(source, doc, 'here')).toBe(text)
})

it('looks for a split by its name, whatever letters it has', () => {
  for (const split of ['test[1:10', 'constructor', '(']) expect(findSplit('src/eval', [], split)).toEqual([])
})
