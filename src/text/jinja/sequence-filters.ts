// Filters that take and give lists: what they look at is an item, an attribute of it (`a.b.0`), or a test's answer.

import type { Given } from './arguments.ts'
import { getItem, getOnlyAttribute } from './attributes.ts'
import { checkLength, checkSize, spend } from './budget.ts'
import { typeError, valueError } from './errors.ts'
import { binary, compare, isEqual, isTruthy, lengthOf } from './operators.ts'
import { str } from './print.ts'
import { lower } from './text.ts'
import type { Filter } from './text-filters.ts'
import {
  Dict,
  DictView,
  hashOf,
  iterate,
  listOf,
  Range,
  Stream,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from './values.ts'

/** Looks an attribute up that is given as `a.b.0`, as a number, or not at all. */
export function attributeGetter(attribute: Value, fallback: Value = null): (item: Value) => Value {
  const text = textOf(attribute)
  const path: Value[] =
    attribute === null
      ? []
      : text === undefined
        ? [attribute]
        : text.split('.').map((part) => (/^\p{Nd}+$/u.test(part) ? Number(part) : part))
  return (item) => {
    let value = item
    for (const part of path) {
      value = getItem(value, part)
      if (fallback !== null && value instanceof Undefined) value = fallback
    }
    return value
  }
}

/** What items are compared by: capitals count only if asked. */
function sortKey(given: Given, attribute: Value = given.value('attribute')): (item: Value) => Value {
  const get = attributeGetter(attribute)
  const isExact = given.flag('case_sensitive')
  return (item) => foldCase(get(item), isExact)
}

function foldCase(value: Value, isExact: boolean): Value {
  if (isExact || typeof value !== 'string') return value
  spend(value.length / 64)
  return lower(value)
}

/** Items in order of their keys; equal ones stay as they are, also in reverse. */
function sorted<T>(items: readonly T[], key: (item: T) => Value, isReversed: boolean): T[] {
  checkSize(items.length)
  const keyed = items.map((item) => [key(item), item] as const)
  if (isReversed) keyed.reverse()
  keyed.sort(([a], [b]) => {
    spend(1)
    return compare(a, b, '<')
  })
  if (isReversed) keyed.reverse()
  return keyed.map(([, item]) => item)
}

function extreme(isBest: (order: number) => boolean): (given: Given) => Value {
  return (given) => {
    const key = sortKey(given)
    let best: { item: Value; key: Value } | undefined
    for (const item of iterate(given.value('value'))) {
      spend(1)
      const candidate = { item, key: key(item) }
      if (best === undefined || isBest(compare(candidate.key, best.key, '<'))) best = candidate
    }
    return best === undefined ? new Undefined('no aggregated item, sequence was empty') : best.item
  }
}

function first(given: Given): Value {
  for (const item of iterate(given.value('value'))) return item
  return new Undefined('no first item, sequence was empty')
}

/** Items from the last to the first; undefined where Python cannot go through a value backwards. */
function backwards(value: Value): Value[] | undefined {
  if (value instanceof Stream) return undefined
  if (value instanceof Undefined || typeof value === 'string' || Array.isArray(value)) return listOf(value).reverse()
  if (
    value instanceof Tuple ||
    value instanceof Dict ||
    value instanceof DictView ||
    value instanceof Range ||
    textOf(value) !== undefined
  ) {
    return listOf(value).reverse()
  }
  return undefined
}

function reverse(given: Given): Value {
  const value = given.value('value')
  if (typeof value === 'string') return [...listOf(value)].reverse().join('')
  const items = backwards(value)
  if (items === undefined) return listOf(value).reverse()
  return new Stream(items, `${typeName(value)}_reverseiterator`)
}

function* batches(given: Given): Generator<Value> {
  const size = given.integer('linecount')
  const filler = given.value('fill_with')
  let batch: Value[] = []
  for (const item of iterate(given.value('value'))) {
    spend(1)
    if (batch.length === size) {
      yield batch
      batch = []
    }
    batch.push(item)
  }
  if (batch.length === 0) return
  if (filler !== null) {
    checkSize(size)
    while (batch.length < size) batch.push(filler)
  }
  yield batch
}

function* slices(given: Given): Generator<Value> {
  const items = listOf(given.value('value'))
  const count = given.integer('slices')
  const filler = given.value('fill_with')
  if (count === 0) throw valueError('integer division or modulo by zero')
  checkSize(count)
  const least = Math.floor(items.length / count)
  const longer = items.length - least * count
  for (let i = 0, at = 0; i < count; i++) {
    const size = least + (i < longer ? 1 : 0)
    const slice = items.slice(at, at + size)
    at += size
    if (filler !== null && i >= longer) slice.push(filler)
    yield slice
  }
}

function* unique(given: Given): Generator<Value> {
  const key = sortKey(given)
  const seen = new Set<string | number>()
  for (const item of iterate(given.value('value'))) {
    spend(1)
    const hash = hashOf(key(item))
    if (!seen.has(hash)) yield item
    seen.add(hash)
  }
}

function groupBy(given: Given): Value {
  const [attribute, fallback] = [given.value('attribute'), given.value('default')]
  const get = attributeGetter(attribute, fallback)
  const isExact = given.flag('case_sensitive')
  const key = (item: Value): Value => foldCase(get(item), isExact)
  const groups: { key: Value; items: Value[] }[] = []
  for (const item of sorted(listOf(given.value('value')), key, false)) {
    const current = groups.at(-1)
    if (current !== undefined && isEqual(current.key, key(item))) current.items.push(item)
    else groups.push({ key: key(item), items: [item] })
  }
  return groups.map(({ items }) => new Tuple([get(items[0]!), items], ['grouper', 'list']))
}

function join(given: Given): string {
  const get = attributeGetter(given.value('attribute'))
  const separator = str(given.value('d', ''))
  let text = ''
  let isFirst = true
  for (const item of iterate(given.value('value'))) {
    spend(1)
    text += isFirst ? str(get(item)) : separator + str(get(item))
    isFirst = false
    checkLength(text.length)
  }
  return text
}

function sum(given: Given): Value {
  const get = attributeGetter(given.value('attribute'))
  let total = given.value('start', 0)
  if (textOf(total) !== undefined) throw typeError("sum() can't sum strings [use ''.join(seq) instead]")
  for (const item of iterate(given.value('value'))) {
    spend(1)
    total = binary('+', total, get(item))
  }
  return total
}

function dictSort(given: Given): Value {
  const value = given.value('value')
  if (value instanceof Undefined) throw value.fail()
  if (!(value instanceof Dict)) throw typeError(`dictsort expects a mapping, got ${typeName(value)}`)
  const by = given.text('by', 'key')
  if (by !== 'key' && by !== 'value') throw valueError('you can only sort by either "key" or "value"')
  const isExact = given.flag('case_sensitive')
  const key = (entry: readonly [Value, Value]): Value => foldCase(entry[by === 'key' ? 0 : 1], isExact)
  return sorted([...value.entries()], key, given.flag('reverse')).map((entry) => new Tuple(entry))
}

function items(given: Given): Value {
  const value = given.value('value')
  if (value instanceof Undefined) return new Stream([])
  if (!(value instanceof Dict)) throw typeError('can only get item pairs from a mapping')
  return new Stream(new DictView('items', value).items())
}

function sort(given: Given): Value {
  const attribute = given.value('attribute')
  const paths = typeof attribute === 'string' ? attribute.split(',') : [attribute]
  const keys = paths.map((path) => sortKey(given, path))
  return sorted(listOf(given.value('value')), (item) => keys.map((key) => key(item)), given.flag('reverse'))
}

const KEYED = 'value, case_sensitive=, attribute='
const LENGTH: Filter = ['value', (given) => lengthOf(given.value('value'))]
const DEFAULT: Filter = [
  'value, default_value=, boolean=',
  (given) => {
    const value = given.value('value')
    const isReplaced = value instanceof Undefined || (given.flag('boolean') && !isTruthy(value))
    return isReplaced ? given.value('default_value', '') : value
  },
]

export const SEQUENCE_FILTERS: Readonly<Record<string, Filter>> = {
  length: LENGTH,
  count: LENGTH,
  default: DEFAULT,
  d: DEFAULT,
  list: ['value', (given) => listOf(given.value('value'))],
  items: ['value', items],
  first: ['value', first],
  last: [
    'value',
    (given) => {
      const value = given.value('value')
      const reversed = backwards(value)
      if (reversed === undefined) throw typeError(`'${typeName(value)}' object is not reversible`)
      return reversed.length === 0 ? new Undefined('no last item, sequence was empty') : reversed[0]!
    },
  ],
  reverse: ['value', reverse],
  join: ['value, d=, attribute=', join],
  sum: ['value, attribute=, start=', sum],
  min: [KEYED, extreme((order) => order < 0)],
  max: [KEYED, extreme((order) => order > 0)],
  unique: [KEYED, (given) => new Stream(unique(given))],
  sort: ['value, reverse=, case_sensitive=, attribute=', sort],
  dictsort: ['value, case_sensitive=, by=, reverse=', dictSort],
  groupby: ['value, attribute, default=, case_sensitive=', groupBy],
  batch: ['value, linecount, fill_with=', (given) => new Stream(batches(given))],
  slice: ['value, slices, fill_with=', (given) => new Stream(slices(given))],
  attr: ['value, name', (given) => getOnlyAttribute(given.value('value'), given.text('name'))],
}
