// What zod found wrong → the end of our sentence: "expected X, got Y. <what to do>".

import type { z } from 'zod'
import { didYouMean } from '../nearest.ts'

type Issue = z.core.$ZodIssue

/** The sentence for an issue; `value` is what stands at the issue's place. */
export function describeIssue(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'custom':
      // A check on one field says what it expects; a check between fields says the whole sentence.
      return issue.message.startsWith('expected') ? issue.message : expected(issue.message, value)
    case 'invalid_value':
      return expected(issue.values.map(String).join(' or '), value) + suggestion(value, issue.values.map(String))
    case 'invalid_type':
      return expected(article(issue.expected), value) + quotesHint(issue.expected, value)
    case 'invalid_union':
      return expected(issue.message, value)
    case 'too_small':
      return expected(bound(issue.origin, issue.inclusive === false ? '>' : '≥', Number(issue.minimum)), value)
    case 'too_big':
      return expected(bound(issue.origin, issue.inclusive === false ? '<' : '≤', Number(issue.maximum)), value)
    case 'unrecognized_keys':
      return `unknown key '${issue.keys[0]}'`
    default:
      return issue.message
  }
}

/** A value as people wrote it, short. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 57)}…` : value}'`
  if (Array.isArray(value)) return `a list of ${value.length}`
  return typeof value === 'object' ? 'a section' : String(value)
}

function expected(what: string, value: unknown): string {
  return `expected ${what}, got ${shown(value)}`
}

function bound(origin: string, sign: string, limit: number): string {
  if (origin === 'string') return limit === 1 ? 'text that is not empty' : `text of length ${sign} ${limit}`
  if (origin === 'array') return limit === 1 ? 'a list that is not empty' : `a list of length ${sign} ${limit}`
  return `a number ${sign} ${limit}`
}

function article(type: string): string {
  const names: Record<string, string> = {
    int: 'a whole number',
    boolean: 'true or false',
    string: 'text',
    array: 'a list',
    record: 'a section of keys',
    object: 'a section of keys',
  }
  return names[type] ?? `a ${type}`
}

function quotesHint(type: string, value: unknown): string {
  const isQuotedNumber = typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))
  if ((type === 'number' || type === 'int') && isQuotedNumber) return ' (text). Remove the quotes'
  return type === 'boolean' && /^(?:yes|no|on|off)$/i.test(String(value)) ? '. YAML 1.2 knows true and false only' : ''
}

function suggestion(value: unknown, choices: string[]): string {
  return typeof value === 'string' ? `.${didYouMean(value, choices)}`.replace(/\.$/, '') : ''
}
