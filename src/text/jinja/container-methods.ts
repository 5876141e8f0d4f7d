// The methods of Python's `dict`, `list` and `tuple` that change nothing; the others are hidden by the sandbox.

import { Given } from './arguments.ts'
import { checkSize, spend } from './budget.ts'
import { unsupported, valueError } from './errors.ts'
import { isEqual } from './operators.ts'
import { repr } from './print.ts'
import { Dict, DictView, type Keywords, listOf, type Value } from './values.ts'

type Method<T> = (self: T, args: readonly Value[], keywords: Keywords) => Value

/** Methods of a dict. */
export const DICT_METHODS: ReadonlyMap<string, Method<Dict>> = new Map<string, Method<Dict>>([
  ['keys', view('keys')],
  ['values', view('values')],
  ['items', view('items')],
  [
    'get',
    (self, args, keywords) => {
      const given = new Given('get', 'key, default=', args, keywords)
      const found = self.get(given.value('key'))
      return found === undefined ? given.value('default') : found
    },
  ],
  [
    'copy',
    (self, args, keywords) => {
      new Given('copy', '', args, keywords)
      checkSize(self.size)
      return Dict.of(self.entries())
    },
  ],
  [
    'fromkeys',
    () => {
      throw unsupported("'.fromkeys' of a mapping")
    },
  ],
])

function view(kind: 'keys' | 'values' | 'items'): Method<Dict> {
  return (self, args, keywords) => {
    new Given(kind, '', args, keywords)
    return new DictView(kind, self)
  }
}

/** Methods of a list, of which a tuple and a range have all but `copy`. */
export const LIST_METHODS: ReadonlyMap<string, Method<Value>> = new Map<string, Method<Value>>([
  [
    'index',
    (self, args, keywords) => {
      const given = new Given('index', 'value, start=, stop=', args, keywords)
      const items = listOf(self)
      const place = (name: string, fallback: number): number => {
        const at = given.integer(name, fallback)
        return at < 0 ? Math.max(0, at + items.length) : at
      }
      const sought = given.value('value')
      const stop = Math.min(place('stop', items.length), items.length)
      for (let i = place('start', 0); i < stop; i++) {
        spend(1)
        if (isEqual(items[i]!, sought)) return i
      }
      throw valueError(`${repr(sought).slice(0, 80)} is not in list`)
    },
  ],
  [
    'count',
    (self, args, keywords) => {
      const sought = new Given('count', 'value', args, keywords).value('value')
      return listOf(self).filter((item) => isEqual(item, sought)).length
    },
  ],
  [
    'copy',
    (self, args, keywords) => {
      new Given('copy', '', args, keywords)
      return listOf(self)
    },
  ],
])
