// What may stand behind `is`.

import { Given } from './arguments.ts'
import { spend } from './budget.ts'
import { binary, compare, contains, isEqual, isSame } from './operators.ts'
import { str } from './print.ts'
import { CHARACTER_TESTS } from './text.ts'
import {
  Dict,
  DictView,
  Float,
  type Keywords,
  Markup,
  PyObject,
  Range,
  Stream,
  Tuple,
  textOf,
  Undefined,
  type Value,
} from './values.ts'

type Test = (value: Value, given: Given) => boolean

/** Tests by name; the tested value is the first argument. */
export const TESTS: Map<string, (args: readonly Value[], keywords: Keywords) => boolean> = new Map()

function define(names: string, parameters: string, test: Test): void {
  for (const name of names.split(' ')) {
    TESTS.set(name, (args, keywords) => {
      spend(1)
      return test(args[0]!, new Given(name, parameters === '' ? 'value' : `value, ${parameters}`, args, keywords))
    })
  }
}

const isNumber = (value: Value): boolean =>
  typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'

define('defined', '', (value) => !(value instanceof Undefined))
define('undefined', '', (value) => value instanceof Undefined)
define('none', '', (value) => value === null)
define('boolean', '', (value) => typeof value === 'boolean')
define('true', '', (value) => value === true)
define('false', '', (value) => value === false)
define('integer', '', (value) => typeof value === 'number' || typeof value === 'bigint')
define('float', '', (value) => value instanceof Float)
define('number', '', (value) => isNumber(value) || value instanceof Float)
define('string', '', (value) => textOf(value) !== undefined)
define('mapping', '', (value) => value instanceof Dict)
define('sequence', '', isSequence)
define('iterable', '', (value) => isSequence(value) || value instanceof DictView || value instanceof Stream)
// Something undefined can be called, and fails.
define('callable', '', (value) => value instanceof Undefined || (value instanceof PyObject && value.isCallable))
define('escaped', '', (value) => value instanceof Markup)
define('lower', '', (value) => CHARACTER_TESTS.islower!(str(value)))
define('upper', '', (value) => CHARACTER_TESTS.isupper!(str(value)))
define('odd', '', (value) => isEqual(binary('%', value, 2), 1))
define('even', '', (value) => isEqual(binary('%', value, 2), 0))
define('divisibleby', 'num', (value, given) => isEqual(binary('%', value, given.value('num')), 0))
define('sameas', 'other', (value, given) => isSame(value, given.value('other')))
define('in', 'seq', (value, given) => contains(given.value('seq'), value))
define('== eq equalto', 'other', (value, given) => isEqual(value, given.value('other')))
define('!= ne', 'other', (value, given) => !isEqual(value, given.value('other')))
define('< lt lessthan', 'other', (value, given) => compare(value, given.value('other'), '<') < 0)
define('<= le', 'other', (value, given) => compare(value, given.value('other'), '<=') <= 0)
define('> gt greaterthan', 'other', (value, given) => compare(value, given.value('other'), '>') > 0)
define('>= ge', 'other', (value, given) => compare(value, given.value('other'), '>=') >= 0)
define('test', '', (value) => TESTS.has(str(value)))

function isSequence(value: Value): boolean {
  if (textOf(value) !== undefined || Array.isArray(value)) return true
  // Something undefined has a length, and an item to fail at.
  return value instanceof Tuple || value instanceof Dict || value instanceof Range || value instanceof Undefined
}
