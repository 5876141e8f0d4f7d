// YAML as PyYAML reads it, which is neither 1.1 nor 1.2: `y`, `n`, `.` and `1e-3` are texts there, `yes` is true and 010 is eight.

import { parseDocument, type ScalarTag } from 'yaml'
import { ConfigError } from '../errors.ts'

/** Lists and objects in one another; an anchor within itself has no end. */
const MAX_DEPTH = 100

const INT =
  /^(?:[-+]?0b[01_]*[01][01_]*|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]*[0-9a-fA-F][0-9a-fA-F_]*|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/

const TAGS: readonly ScalarTag[] = [
  scalar('null', /^(?:~|null|Null|NULL)?$/, () => null),
  scalar('bool', /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON|no|No|NO|false|False|FALSE|off|Off|OFF)$/, (text) =>
    /^(?:yes|true|on)$/i.test(text),
  ),
  scalar('int', INT, (text) => signed(text, intOf)),
  scalar('float', FLOAT, (text) => signed(text, floatOf)),
]

function scalar(name: string, test: RegExp, resolve: (text: string) => unknown): ScalarTag {
  return { tag: `tag:yaml.org,2002:${name}`, default: true, test, resolve }
}

function signed(text: string, read: (digits: string) => number): number {
  const digits = text.replaceAll('_', '').toLowerCase()
  const value = read(digits.replace(/^[-+]/, ''))
  return digits.startsWith('-') ? -value : value
}

function intOf(digits: string): number {
  if (/^0[bx]/.test(digits)) return Number(digits)
  if (digits.includes(':')) return sixties(digits)
  return digits.startsWith('0') ? Number.parseInt(digits, 8) : Number(digits)
}

function floatOf(digits: string): number {
  if (digits === '.inf') return Number.POSITIVE_INFINITY
  return digits.includes(':') ? sixties(digits) : Number(digits)
}

const sixties = (digits: string): number => digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)

/** The value of a text. `tags` are read beside YAML's own. ConfigError names `file`. */
export function parsePyYaml(text: string, file: string, tags: readonly ScalarTag[] = []): unknown {
  const document = parseDocument(text, {
    schema: 'failsafe',
    merge: true,
    customTags: [...TAGS, ...tags],
    prettyErrors: true,
    uniqueKeys: false,
  })
  const [problem] = document.errors
  if (problem !== undefined)
    throw new ConfigError(`YAML in ${file}: ${problem.message.split('\n')[0]}`, undefined, { cause: problem })
  const foreign = document.warnings.find(({ code }) => code === 'TAG_RESOLVE_FAILED')
  if (foreign !== undefined) throw new ConfigError(`YAML in ${file}: ${foreign.message.split('\n')[0]}`)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    throw new ConfigError(`YAML in ${file}: anchors and aliases: ${(cause as Error).message}`, undefined, { cause })
  }
  checkDepth(value, file, 0)
  return value
}

function checkDepth(value: unknown, file: string, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > MAX_DEPTH)
    throw new ConfigError(
      `YAML in ${file}: expected at most ${MAX_DEPTH} lists and objects in one another, got more, or an anchor within itself`,
    )
  for (const item of Object.values(value)) checkDepth(item, file, depth + 1)
}
