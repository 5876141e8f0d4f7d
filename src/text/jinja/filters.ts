// All filters by name: those that only look at values, and `map`, `select` and their kin, which call other filters and tests.

import { Given } from './arguments.ts'
import { checked, spend } from './budget.ts'
import { TemplateError, typeError, unsupported } from './errors.ts'
import { isTruthy } from './operators.ts'
import { str } from './print.ts'
import { attributeGetter, SEQUENCE_FILTERS } from './sequence-filters.ts'
import { TESTS } from './tests.ts'
import { formatFilter, TEXT_FILTERS } from './text-filters.ts'
import { iterate, type Keywords, Markup, Stream, Undefined, type Value } from './values.ts'

type Native = (args: readonly Value[], keywords: Keywords) => Value

/** Filters by name; the filtered value is the first argument. */
export const FILTERS: Map<string, Native> = new Map()

for (const [name, [parameters, body]] of Object.entries({ ...TEXT_FILTERS, ...SEQUENCE_FILTERS })) {
  FILTERS.set(name, (args, keywords) => {
    spend(1)
    payFor(args[0])
    const result = body(new Given(name, parameters, args, keywords))
    if (typeof result === 'string') return checked(result)
    return result instanceof Markup ? new Markup(checked(result.text)) : result
  })
}
FILTERS.set('format', formatFilter)
FILTERS.set('map', (args, keywords) => new Stream(mapped(args, keywords)))
for (const isKept of [true, false]) {
  const name = isKept ? 'select' : 'reject'
  FILTERS.set(name, (args, keywords) => new Stream(selected(args, keywords, isKept, false)))
  FILTERS.set(`${name}attr`, (args, keywords) => new Stream(selected(args, keywords, isKept, true)))
}
TESTS.set('filter', ([value]) => FILTERS.has(str(value!)))

for (const name of ['filesizeformat', 'random', 'urlize', 'wordwrap', 'xmlattr']) {
  FILTERS.set(name, () => {
    throw unsupported(`the filter '${name}'`)
  })
}

/** A filter goes through the whole of a text or list. */
function payFor(value: Value | undefined): void {
  if (typeof value === 'string') spend(value.length / 256)
  else if (Array.isArray(value)) spend(value.length / 16)
}

/** `map('upper')` and `map(attribute='name', default='')`. Nothing is looked at before the first item is asked for. */
function* mapped([value, ...args]: readonly Value[], keywords: Keywords): Generator<Value> {
  if (!isTruthy(value!)) return
  const apply = mapper(args, keywords)
  for (const item of iterate(value!)) {
    spend(1)
    yield apply(item)
  }
}

function mapper([name, ...args]: readonly Value[], keywords: Keywords): (item: Value) => Value {
  const attribute = keywords.get('attribute')
  if (name === undefined && attribute !== undefined) {
    for (const key of keywords.keys()) {
      if (key !== 'attribute' && key !== 'default') throw typeError(`unexpected keyword argument '${key}'`)
    }
    return attributeGetter(attribute, keywords.get('default') ?? null)
  }
  if (name === undefined) throw typeError('map requires a filter argument')
  return (item) => find(FILTERS, 'filter', name)([item, ...args], keywords)
}

/** `select('odd')`, `rejectattr('role', 'in', roles)`; without a test what counts as true is selected. */
function* selected(
  [value, ...given]: readonly Value[],
  keywords: Keywords,
  isKept: boolean,
  isByAttribute: boolean,
): Generator<Value> {
  if (!isTruthy(value!)) return
  if (isByAttribute && given.length === 0) throw typeError('missing parameter for attribute name')
  const get = isByAttribute ? attributeGetter(given[0]!) : (item: Value): Value => item
  const [name, ...args] = isByAttribute ? given.slice(1) : given
  const passes =
    name === undefined
      ? isTruthy
      : (item: Value): boolean => isTruthy(find(TESTS, 'test', name)([item, ...args], keywords))
  for (const item of iterate(value!)) {
    spend(1)
    if (passes(get(item)) === isKept) yield item
  }
}

function find(table: ReadonlyMap<string, Native>, what: string, name: Value): Native {
  const found = table.get(str(name))
  if (found !== undefined) return found
  const hint = name instanceof Undefined ? ` (${name.message}; did you forget to quote the name?)` : ''
  throw new TemplateError('type', `no ${what} named '${str(name)}'${hint}`)
}
