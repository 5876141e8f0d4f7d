// Whether a dialogue that a teacher wrote may become a row, and if not, why: its form first, then what it says.

import { foreignShare } from './foreign-share.ts'
import { longestShared, unitsOf } from './longest-shared.ts'
import type { SingleTurn } from './single-turns.ts'
import { firstDouble, type Language, type Turn } from './turns.ts'

/** Where a dialogue stops being good enough. */
export interface DialogueLimits {
  /** How often the client may speak, at least and at most. */
  readonly turns: readonly [least: number, most: number]
  /** Words (of Chinese: characters) of the case in a row that a dialogue may have. */
  readonly overlap: number
  /** The share of the counsellor's runs of four words (of Chinese: eight characters) that may stand in the single-turn answer. */
  readonly answerOverlap: number
  /** The share of letters that may be of another script. */
  readonly foreign: number
  /** The share of the question's words that have to come up in the dialogue. */
  readonly relevance: number
}

const RUN: Readonly<Record<Language, number>> = { en: 4, zh: 8 }
/** Shorter turns, such as “I see.”, may come again. */
const REPEATED = 4
const RULE_LINE = /^\s*(?:-{3,}|={3,}|\*{3,}|_{3,}|```.*)\s*$/m

/** What is wrong with the form of a dialogue; undefined where it can be looked at further. */
export function faultOfForm(turns: readonly Turn[], [least, most]: DialogueLimits['turns']): string | undefined {
  if (turns.length === 0) return 'no turns: no line begins with who speaks'
  const empty = turns.findIndex(({ text }) => !/[\p{L}\p{N}]/u.test(text))
  if (empty !== -1) return `turn ${empty + 1} says nothing`
  const ruled = turns.findIndex(({ text }) => RULE_LINE.test(text))
  if (ruled !== -1) return `turn ${ruled + 1} has a line of signs, which is no speech`
  const double = firstDouble(turns)
  if (double !== undefined)
    return `roles that do not alternate: the ${turns[double]!.speaker} speaks twice in a row (turn ${double + 1})`
  if (turns[0]!.speaker !== 'client') return 'a beginning by the counsellor, not by the client'
  if (turns.at(-1)!.speaker !== 'counsellor') return 'an end by the client, not by the counsellor'
  const count = turns.length / 2
  if (count < least || count > most) return `${count} turns of the client, not ${least} to ${most}`
  return undefined
}

/** What dialogues are compared with. */
export interface Compared {
  /** All turns of the case; absent where none was shown. */
  readonly case?: readonly Turn[]
  readonly record: SingleTurn
  readonly language: Language
}

/** All that is wrong with what a dialogue says. */
export function faultsOfContent(turns: readonly Turn[], compared: Compared, limits: DialogueLimits): string[] {
  const { record, language } = compared
  const faults: string[] = []
  const foreign = foreignShare(turns.map(({ text }) => text).join('\n'), language)
  if (foreign > limits.foreign) faults.push(`${percent(foreign)} of the letters in another script`)
  const seen = new Map<string, number>()
  for (const [i, { speaker, text }] of turns.entries()) {
    const units = unitsOf(text)
    const said = `${speaker} ${units.join(' ')}`
    const before = seen.get(said)
    if (before !== undefined && units.length >= REPEATED) {
      faults.push(`turn ${i + 1} says the same as turn ${before + 1}`)
      break
    }
    seen.set(said, before ?? i)
  }
  if (compared.case !== undefined) {
    const run = longestShared(turns, compared.case)
    if (run.length > limits.overlap)
      faults.push(
        `${run.length} words of the example case in a row, more than ${limits.overlap} (${JSON.stringify(run.slice(0, 8).join(' '))} …)`,
      )
  }
  const copied = shareOfRuns(turns, record.answer, RUN[language])
  if (copied > limits.answerOverlap)
    faults.push(
      `${percent(copied)} of the counsellor's words copied from the single-turn answer, more than ${percent(limits.answerOverlap)}`,
    )
  return faults
}

/** Whether a whole dialogue is about its record; what is wrong where it is not. */
export function faultOfMatter(
  turns: readonly Turn[],
  { record: { title, detail }, language }: Pick<Compared, 'record' | 'language'>,
  { relevance }: DialogueLimits,
): string | undefined {
  const asked = matterOf(`${title}\n${detail}`, language)
  if (asked.size === 0) return undefined
  const said = matterOf(turns.map(({ text }) => text).join('\n'), language)
  const share = [...asked].filter((word) => said.has(word)).length / asked.size
  if (share >= relevance) return undefined
  return `another matter: ${percent(share)} of the question's words come up, less than ${percent(relevance)}`
}

/** Words of four letters and more, which say what a text is about; of Chinese, two characters in a row. */
function matterOf(text: string, language: Language): Set<string> {
  const units = unitsOf(text)
  if (language === 'en') return new Set(units.filter((word) => word.length >= 4))
  return new Set(units.slice(1).map((unit, i) => units[i]! + unit))
}

const percent = (share: number): string => `${Math.round(share * 100)} %`

/** The share of the counsellor's runs of `n` words that stand in a text; 0 where there are none. */
function shareOfRuns(turns: readonly Turn[], text: string, n: number): number {
  const known = new Set(runsOf(unitsOf(text), n))
  const runs = turns.filter(({ speaker }) => speaker === 'counsellor').flatMap((turn) => runsOf(unitsOf(turn.text), n))
  return runs.length === 0 ? 0 : runs.filter((run) => known.has(run)).length / runs.length
}

const runsOf = (units: readonly string[], n: number): string[] =>
  units.slice(0, Math.max(0, units.length - n + 1)).map((_, i) => units.slice(i, i + n).join(' '))
