// Finds messages of people in danger, beside whatever a model would answer to them: killing or harming oneself, killing others. Words, not
// meaning: many who need help are worded unlike anything here and are not found, so it takes the place of no person who reads along.

import { UsageError } from '../../../errors.ts'
import { checkOptionNames } from '../../../option-names.ts'
import { note } from '../../base/trace.ts'
import { WORDINGS } from '../../base/wordings.ts'
import type { Rule } from '../rule.ts'
import {
  CRISIS_PATTERNS,
  CRISIS_PHRASES,
  type CrisisKind,
  type CrisisLevel,
  type CrisisPhrases,
  DENIAL_ZH,
  DENIALS,
} from './crisis-phrases.ts'
import { type PhrasePattern, phrasePattern } from './phrase-pattern.ts'
import { folded, viewsOf } from './views.ts'

/** What was found in a message. */
export interface Crisis {
  /**
   * `concern`: what may lead there, such as hopelessness; `risk`: thoughts, wishes, harm; `acute`: a plan, means, a time, or an attempt.
   */
  level: 'concern' | 'risk' | 'acute'
  kind: 'suicide' | 'self-harm' | 'violence'
  language: 'en' | 'es' | 'zh'
}

/** What `rules.crisis` takes. */
export interface CrisisOptions {
  /** The level from which on a message is not answered by the model. What lies below it is noted in the trace as `crisis`. Default `risk`. */
  from?: Crisis['level']
  /** What is said instead. Default: `WORDINGS.crisis` in the language of what was found. Name the numbers and places of those who ask. */
  help?: string | ((found: Crisis) => string)
}

const LEVELS: readonly CrisisLevel[] = ['concern', 'risk', 'acute']

interface Known extends PhrasePattern {
  readonly level: CrisisLevel
  readonly kind: CrisisKind
  readonly isPlain: boolean
}

const known = (all: readonly CrisisPhrases[]): readonly Known[] =>
  all.flatMap(({ level, kind, isPlain = false, phrases }) =>
    phrases.map((phrase) => {
      const { inWords, inLetters } = phrasePattern(phrase)
      return { level, kind, isPlain, inWords: new RegExp(inWords, 'gu'), inLetters }
    }),
  )
const PHRASES: Readonly<Record<'en' | 'es', readonly Known[]>> = {
  en: known(CRISIS_PHRASES.en),
  es: known(CRISIS_PHRASES.es),
}
/** Chinese, made once: they are looked for in every sentence. */
const PATTERNS_ZH: typeof CRISIS_PATTERNS = CRISIS_PATTERNS.map(({ patterns, ...rest }) => ({
  ...rest,
  patterns: patterns.map(({ source }) => new RegExp(source, 'gu')),
}))
/** Of a Chinese sentence, where a denial may stand. */
const CHARACTERS_BEFORE = 7

/** The most pressing of what a text says; undefined where nothing was found. */
export function crisisIn(text: string): Crisis | undefined {
  let most: Crisis | undefined
  const take = (found: Crisis | undefined): void => {
    if (found !== undefined && (most === undefined || LEVELS.indexOf(found.level) > LEVELS.indexOf(most.level)))
      most = found
  }
  // Once more with a space for line breaks, which part no sentence where somebody sends a word a line, and for what nobody sees.
  const inOneLine = text.replace(/[\s\p{Default_Ignorable_Code_Point}]+/gu, ' ')
  for (const sentence of new Set([...sentencesOf(text), ...sentencesOf(inOneLine)])) {
    if (/\p{Script=Han}/u.test(sentence)) take(inChinese(plainChinese(sentence)))
    if (!/[a-z]/.test(folded(sentence))) continue
    const { words, runs } = viewsOf(sentence)
    const spelt = words.map((view) => SPELLINGS.reduce((all, [spelling, meant]) => all.replace(spelling, meant), view))
    for (const language of ['en', 'es'] as const) take(inWords(spelt, runs, language))
  }
  return most
}

/** A sign within a word ends no sentence: it stands for a letter. */
const sentencesOf = (text: string): string[] => text.split(/(?<=[。！？；\n])|(?<=[.…!?;])(?=\s)/u)

/** Words in two, or without the letter that a sign stood for (`k*ll`). */
const SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/\bmy self\b/g, 'myself'],
  [/\bk ?ll(?=(?:ing|ed)?\b)/g, 'kill'],
  [/\bsu ?c(?:i|ic| i)?de\b/g, 'suicide'],
]

function inWords(views: readonly string[], runs: readonly string[], language: 'en' | 'es'): Crisis | undefined {
  // By level, so the first is the most pressing.
  for (const { level, kind, isPlain, inWords: pattern, inLetters } of PHRASES[language]) {
    const isMeant = (view: string): boolean =>
      [...view.matchAll(pattern)].some(
        ({ 0: said, index }) => isPlain || !DENIALS[language].test(lastWords(view.slice(0, index)) + said),
      )
    if (views.some(isMeant) || runs.some((run) => run.length > 6 && inLetters.test(run)))
      return { level, kind, language }
  }
  return undefined
}

/** The last few words of what stands before a phrase, which may deny it. */
const lastWords = (text: string): string => (/(?:\S+ ){0,4}$/.exec(text) ?? [''])[0]

function inChinese(sentence: string): Crisis | undefined {
  for (const { level, kind, isPlain = false, patterns } of PATTERNS_ZH)
    for (const pattern of patterns)
      for (const { index } of sentence.matchAll(pattern))
        if (isPlain || !DENIAL_ZH.test(sentence.slice(Math.max(0, index - CHARACTERS_BEFORE), index)))
          return { level, kind, language: 'zh' }
  return undefined
}

const SIMPLE: Readonly<Record<string, string>> = Object.fromEntries(
  '殺杀 輕轻 結结 藥药 遺遗 書书 殘残 傷伤 離离 開开 這这 個个 樓楼 準准 沒没 著着 麼么 買买 從从 為为 還还 說说 讓让 過过 會会 對对 絕绝 總总 間间 頂顶 橋桥 繩绳 備备 應应 該该 醫医 覺觉 嗎吗 鯊鲨 煞煞'
    .split(' ')
    .map((pair) => [...pair] as [string, string]),
)
/** How filters are got around: other characters of the same sound, and letters in their place. */
const TRICKS: readonly (readonly [RegExp, string])[] = [
  [/自(?:sha|鲨|刹|沙|s|s杀|傻|砂)(?![a-z])/g, '自杀'],
  [/(?:紫砂|紫杀|自杀杀|zisha|zi杀)/g, '自杀'],
  [/(?<=想|要|去|不如|怎么|吃)(?:si|s|亖|4|屎)(?![a-z0-9点个年月天次])/g, '死'],
  [/(?:轻|清)(?:sheng|s生)/g, '轻生'],
]

/** A sentence of simplified characters alone, with its commas; what stands between them to hide them is gone. */
function plainChinese(sentence: string): string {
  const plain = folded(sentence)
    .replace(/[^\p{L}\p{N},]/gu, '')
    .replace(/\p{Script=Han}/gu, (character) => SIMPLE[character] ?? character)
  return TRICKS.reduce((text, [trick, meant]) => text.replace(trick, meant), plain)
}

/**
 * A rule for what users say: a message of somebody in danger gets a text with where to find help, whatever the model would have said. In
 * English, Spanish and Chinese, also where filters are evaded by spelling.
 */
export function crisis(options: CrisisOptions = {}): Rule {
  checkOptionNames('crisis', options, { from: true, help: true })
  const { from = 'risk', help } = options
  if (!LEVELS.includes(from))
    throw new UsageError(`from: expected one of ${LEVELS.join(', ')}, got ${JSON.stringify(from)}`)
  return {
    name: 'crisis',
    onRefuse: 'refusal',
    check: (text) => {
      const found = crisisIn(text)
      if (found === undefined) return undefined
      if (LEVELS.indexOf(found.level) < LEVELS.indexOf(from)) {
        note('crisis', { ...found })
        return undefined
      }
      const say = typeof help === 'string' ? help : (help?.(found) ?? WORDINGS.crisis[found.language])
      return { refuse: `${found.level}: ${found.kind} (${found.language})`, say }
    },
  }
}
