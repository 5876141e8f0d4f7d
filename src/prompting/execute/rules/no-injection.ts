// Finds texts that try to command a model: to forget its instructions, to tell them, to be somebody without rules, to send things out, and
// marks that only a template may write. Words, not meaning: what is worded unlike anything here passes.

import { WORDINGS } from '../../base/wordings.ts'
import type { Rule } from '../rule.ts'
import { PHRASES } from './injection-phrases.ts'
import { type PhrasePattern, phrasePattern } from './phrase-pattern.ts'
import { folded, letters, viewsOf, words } from './views.ts'

/** What `noInjection` takes besides. */
export interface NoInjectionOptions {
  /** `refuse` the text, or `remove` the sentences that are at fault and refuse only what spreads over several. Default `refuse`. */
  action?: 'refuse' | 'remove'
  /** Phrases that may stand there all the same, such as the name of a product; case and signs do not count. */
  allow?: readonly string[]
  /** Further phrases that may not. */
  deny?: readonly string[]
}

const PATTERNS: readonly (PhrasePattern & { attempt: string })[] = Object.entries(PHRASES).flatMap(
  ([attempt, phrases]) => phrases.map((phrase) => ({ attempt, ...phrasePattern(phrase) })),
)

/** What only a chat template writes, in many families of models; and ends of quotations that nobody opened. */
const MARKS = [
  /<\|[a-z0-9_▁-]{2,40}\|>/u,
  /\[\/?(?:inst|system_prompt|available_tools|tool_calls|tool_results)\]/,
  /<<\/?sys>>/,
  /<\/?(?:start_of_turn|end_of_turn|tool_call|tool_response|function_calls?|think)>/,
  /<(?:function|invoke)=/,
  /<\/s>/,
  /(?:^|\n)\s*#{2,4} ?(?:system|instruction|new instructions?)\b[^\n]{0,40}:/,
]
const QUOTATIONS =
  'text|document|doc|context|quote|user_?input|untrusted|data|passage|system|source|article|email|page|result|note'
const IMAGE =
  /!\[[^\]\n]{0,200}\]\(\s*(?:https?:)?\/\/[^)\n]{0,200}(?:\{|\[|<|%7b|data|secret|prompt|history|conversation|password|token=)/
/** Turns of a made-up conversation. */
const TURN =
  /(?:^|\n)\s*(?:user|human|bruger|nutzer|usuario|utilisateur)\s*[:>][^\n]*\n+\s*(?:assistant|ai|bot|assistent|asistente)\s*[:>]/g
const MOST_TURNS = 3

/** What a text attempts; undefined where nothing was found. */
export function attemptOf(text: string, { allow = [], deny = [] }: NoInjectionOptions = {}): string | undefined {
  const views = viewsOf(text)
  const without = (one: string, form: (phrase: string) => string): string =>
    allow.reduce((left, phrase) => left.replaceAll(form(folded(phrase)), ' '), one)
  for (const one of views.marks) {
    if (MARKS.some((mark) => mark.test(one)) || hasStrayEnd(one)) return 'marks of a template'
    if (IMAGE.test(one)) return 'exfiltrate'
    if ((one.match(TURN)?.length ?? 0) > MOST_TURNS) return 'a made-up conversation'
  }
  for (const one of views.words) {
    const read = without(one, words)
    if (deny.some((phrase) => read.includes(words(folded(phrase))))) return 'a phrase that is denied'
    for (const { attempt, inWords } of PATTERNS) if (inWords.test(read)) return attempt
  }
  for (const one of views.runs) {
    const read = without(one, letters)
    if (deny.some((phrase) => phrase.length >= 10 && read.includes(letters(folded(phrase)))))
      return 'a phrase that is denied'
    for (const { attempt, inLetters } of PATTERNS) if (inLetters.test(read)) return attempt
  }
  return undefined
}

/** Whether a quotation ends that has not begun, or an end is spelled that `quote` made harmless. */
function hasStrayEnd(text: string): boolean {
  const open = new Map<string, number>()
  for (const [, slash, name = ''] of text.matchAll(new RegExp(`<\\\\?\\s*(/?)\\s*(${QUOTATIONS})\\s*>`, 'g'))) {
    const depth = (open.get(name) ?? 0) + (slash === '' ? 1 : -1)
    if (depth < 0) return true
    open.set(name, depth)
  }
  return false
}

/** A rule for inputs and for texts of others: attempts to command the model. */
export function noInjection(options: NoInjectionOptions = {}): Rule {
  return {
    name: 'no injection',
    check: (text) => {
      const attempt = attemptOf(text, options)
      if (attempt === undefined) return undefined
      const refuse = { refuse: `reads like an attempt to command the model: ${attempt}` }
      if (options.action !== 'remove') return refuse
      const rewrite = text
        .split(/(?<=[.!?\n])/u)
        .map((sentence) => (attemptOf(sentence, options) === undefined ? sentence : `${WORDINGS.removed} `))
        .join('')
      return rewrite === text || attemptOf(rewrite, options) !== undefined ? refuse : { rewrite }
    },
  }
}
