// The methods of Python's `str`.

import { Given } from './arguments.ts'
import { checked, checkLength, checkSize, spend } from './budget.ts'
import { typeError, valueError } from './errors.ts'
import { countCodePoints } from './operators.ts'
import {
  CHARACTER_TESTS,
  capitalize,
  codePointIndex,
  codePoints,
  lower,
  slicePoints,
  splitAt,
  splitLines,
  splitWords,
  strip,
  swapCase,
  titleCase,
} from './text.ts'
import { iterate, type Keywords, Tuple, textOf, typeName, type Value } from './values.ts'

type Method = (self: string, args: readonly Value[], keywords: Keywords) => Value

/** The methods by name. */
export const STRING_METHODS: Map<string, Method> = new Map()

/** Methods that Python has and chat templates have no need of. */
export const UNSUPPORTED_STRING_METHODS: ReadonlySet<string> = new Set(['encode', 'maketrans', 'translate'])

/** Defines a method; a text that it gives is checked and paid for. */
function method(name: string, parameters: string, body: (self: string, given: Given) => Value): void {
  STRING_METHODS.set(name, (self, args, keywords) => {
    spend(self.length / 256)
    const result = body(self, new Given(name, parameters, args, keywords))
    if (typeof result === 'string') return checked(result)
    if (Array.isArray(result)) checkSize(result.length)
    return result
  })
}

for (const [name, test] of Object.entries(CHARACTER_TESTS)) method(name, '', test)

method('upper', '', (self) => self.toUpperCase())
method('lower', '', lower)
method('casefold', '', (self) =>
  lower(self.replaceAll('ß', 'ss').replaceAll('ẞ', 'ss').replaceAll('ς', 'σ')).replaceAll('ς', 'σ'),
)
method('capitalize', '', capitalize)
method('title', '', titleCase)
method('swapcase', '', swapCase)

method('strip', 'chars=', (self, given) => strip(self, given.text('chars', undefined), 'both'))
method('lstrip', 'chars=', (self, given) => strip(self, given.text('chars', undefined), 'left'))
method('rstrip', 'chars=', (self, given) => strip(self, given.text('chars', undefined), 'right'))
method('removeprefix', 'prefix', (self, given) => {
  const prefix = given.text('prefix')
  return self.startsWith(prefix) ? self.slice(prefix.length) : self
})
method('removesuffix', 'suffix', (self, given) => {
  const suffix = given.text('suffix')
  return self.endsWith(suffix) ? self.slice(0, self.length - suffix.length) : self
})

for (const [name, fromRight] of [
  ['split', false],
  ['rsplit', true],
] as const) {
  method(name, 'sep=, maxsplit=', (self, given) => {
    const separator = given.text('sep', undefined)
    const most = given.integer('maxsplit', -1)
    if (separator === '') throw valueError('empty separator')
    return separator === undefined ? splitWords(self, most, fromRight) : splitAt(self, separator, most, fromRight)
  })
}
method('splitlines', 'keepends=', (self, given) => splitLines(self, given.flag('keepends')))
method('partition', 'sep', (self, given) => parts(self, given.text('sep'), false))
method('rpartition', 'sep', (self, given) => parts(self, given.text('sep'), true))

function parts(self: string, separator: string, fromRight: boolean): Tuple {
  if (separator === '') throw valueError('empty separator')
  const at = fromRight ? self.lastIndexOf(separator) : self.indexOf(separator)
  if (at === -1) return new Tuple(fromRight ? ['', '', self] : [self, '', ''])
  return new Tuple([self.slice(0, at), separator, self.slice(at + separator.length)])
}

method('join', 'iterable', (self, given) => {
  let text = ''
  let isFirst = true
  for (const item of iterate(given.value('iterable'))) {
    const part = textOf(item)
    if (part === undefined) throw typeError(`sequence item: expected str instance, ${typeName(item)} found`)
    text += isFirst ? part : self + part
    isFirst = false
    checkLength(text.length)
    spend(1)
  }
  return text
})

method('replace', 'old, new, count=', (self, given) =>
  replaceText(self, given.text('old'), given.text('new'), given.integer('count', -1)),
)

/** `text.replace(old, new, count)`; a negative count replaces all. */
export function replaceText(text: string, old: string, by: string, count: number): string {
  if (count === 0) return text
  const pieces = old === '' ? ['', ...codePoints(text), ''] : text.split(old)
  const cuts = count < 0 ? pieces.length - 1 : Math.min(count, pieces.length - 1)
  checkLength(text.length + cuts * (by.length - old.length))
  spend(pieces.length / 16)
  if (old === '') {
    const points = codePoints(text)
    let replaced = ''
    for (let i = 0; i <= points.length; i++) replaced += (i < cuts ? by : '') + (points[i] ?? '')
    return replaced
  }
  return [...pieces.slice(0, cuts), pieces.slice(cuts).join(old)].join(by)
}

/** The part of a text that `start` and `end` choose, and where it starts in code points. */
function part(self: string, given: Given): { text: string; offset: number } {
  const start = given.integer('start', 0)
  if (start === 0 && given.value('end') === null) return { text: self, offset: 0 }
  const length = countCodePoints(self)
  const offset = start < 0 ? Math.max(0, start + length) : start
  // Nothing, not even an empty text, is found behind the end.
  if (offset > length) return { text: '', offset: Number.NaN }
  return { text: slicePoints(self, offset, given.integer('end', length)), offset }
}

/** Where a text is found, in code points; -1 where it is not. */
function search(self: string, given: Given, fromRight: boolean): number {
  const sought = given.text('sub')
  const { text, offset } = part(self, given)
  const at = fromRight ? text.lastIndexOf(sought) : text.indexOf(sought)
  return at === -1 || Number.isNaN(offset) ? -1 : codePointIndex(text, at) + offset
}

const SEARCH = 'sub, start=, end='
method('find', SEARCH, (self, given) => search(self, given, false))
method('rfind', SEARCH, (self, given) => search(self, given, true))
for (const [name, fromRight] of [
  ['index', false],
  ['rindex', true],
] as const) {
  method(name, SEARCH, (self, given) => {
    const at = search(self, given, fromRight)
    if (at === -1) throw valueError('substring not found')
    return at
  })
}
method('count', SEARCH, (self, given) => {
  const sought = given.text('sub')
  const { text, offset } = part(self, given)
  if (Number.isNaN(offset)) return 0
  return sought === '' ? countCodePoints(text) + 1 : text.split(sought).length - 1
})

for (const [name, isEnd] of [
  ['startswith', false],
  ['endswith', true],
] as const) {
  method(name, 'prefix, start=, end=', (self, given) => {
    const sought = given.value('prefix')
    const { text, offset } = part(self, given)
    const texts = sought instanceof Tuple ? sought.items : [sought]
    return texts.some((item) => {
      const affix = textOf(item)
      if (affix === undefined) throw typeError(`${name} first arg must be str or a tuple of str, not ${typeName(item)}`)
      return !Number.isNaN(offset) && (isEnd ? text.endsWith(affix) : text.startsWith(affix))
    })
  })
}

/** Fills a text up on one side or both; an odd space goes where Python's `center` puts it. */
export function fillUp(text: string, width: number, fill: string, side: 'left' | 'right' | 'both'): string {
  if (codePoints(fill).length !== 1) throw typeError('the fill character must be exactly one character long')
  const missing = Math.max(0, width - countCodePoints(text))
  if (side === 'right') return text + fill.repeat(missing)
  if (side === 'left') return fill.repeat(missing) + text
  const left = Math.floor(missing / 2) + (missing & width & 1)
  return fill.repeat(left) + text + fill.repeat(missing - left)
}

for (const [name, side] of [
  ['ljust', 'right'],
  ['rjust', 'left'],
  ['center', 'both'],
] as const) {
  method(name, 'width, fillchar=', (self, given) =>
    fillUp(self, given.width('width'), given.text('fillchar', ' ')!, side),
  )
}
method('zfill', 'width', (self, given) => {
  const [, sign = '', digits = ''] = /^([+-]?)([\s\S]*)$/.exec(self)!
  return sign + fillUp(digits, given.width('width') - sign.length, '0', 'left')
})
method('expandtabs', 'tabsize=', (self, given) => {
  const size = given.width('tabsize', 8)
  let column = 0
  let text = ''
  for (const char of self) {
    const spaces = char === '\t' ? (size > 0 ? size - (column % size) : 0) : -1
    text += spaces === -1 ? char : ' '.repeat(spaces)
    column = char === '\n' || char === '\r' ? 0 : column + (spaces === -1 ? 1 : spaces)
    checkLength(text.length)
  }
  return text
})
