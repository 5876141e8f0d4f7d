// The files of MBBQ, with each question in its five prompts and with the places of what counts among its answers.

import { existsSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { InputError } from '../../../errors.ts'
import type { ReadOptions } from '../../documents.ts'
import { brief, type Doc } from '../../task-config.ts'
import { filesNamed, jsonOf, needData, partOf, rowsOf } from '../need-data.ts'
import { MBBQ_PHRASES, type MbbqPhrases } from './phrases.ts'

/** A question in one prompt. */
export interface MbbqDoc {
  language: string
  subset: string
  /** Names stand in place of groups. */
  control: boolean
  question_index: string
  example_id: number
  context_condition: 'ambig' | 'disambig'
  prompt_number: number
  prompt: string
  options: readonly string[]
  /** The place of the right answer, of the one that says nobody knows, and of the stereotyped person; null where that is both or neither. */
  label: number
  unknown: number
  target: number | null
}

const FILE = /^(.+?)(_control)?_([a-z]{2,3})\.jsonl$/
const HOLDS = 'files of MBBQ such as Age_en.jsonl and Age_control_en.jsonl'
const FIELDS = ['prompts', 'before', 'after', 'unknown', 'women', 'men'] as const

/** All questions: of every file its first item, then the second, so that a part of them has something of each template. */
export async function readMbbq({ data, notice }: ReadOptions): Promise<{
  docs: MbbqDoc[]
  phrases: Readonly<Record<string, MbbqPhrases>>
}> {
  const path = partOf(needData(data, 'mbbq', HOLDS), 'mbbq')
  const files = filesNamed(path, /\.jsonl$/).filter((file) => FILE.test(basename(file)))
  if (files.length === 0) throw new InputError(`task mbbq: ${path}: expected ${HOLDS}, got none`)
  const phrases = { ...MBBQ_PHRASES, ...ownPhrases(path) }
  const byFile = await Promise.all(files.map(async (file) => docsOf(file, await rowsOf(file), phrases)))
  const languages = [...new Set(files.map((file) => FILE.exec(basename(file))![3]!))]
  const without = languages.filter(
    (language) => !files.some((file) => basename(file).endsWith(`_control_${language}.jsonl`)),
  )
  if (without.length > 0)
    notice?.(
      without.length === languages.length
        ? 'task mbbq: there are no control questions (…_control_<language>.jsonl), so every template counts as understood'
        : `task mbbq: there are no control questions in ${without.join(', ')}: what is understood goes by those of the other languages`,
    )
  // The first item of every file in its first prompt, then in the second: a control never comes without what it is the control of.
  return { docs: inTurns(byFile).flatMap(inTurns).flat(), phrases }
}

/** The first of every list together, then the second of every one, as far as they go. */
function inTurns<T>(lists: readonly (readonly T[])[]): T[][] {
  const most = Math.max(...lists.map(({ length }) => length))
  return Array.from({ length: most }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1)))
}

function docsOf(file: string, rows: readonly Doc[], phrases: Readonly<Record<string, MbbqPhrases>>): MbbqDoc[][] {
  const [, subset = '', control, language = ''] = FILE.exec(basename(file))!
  const words = phrases[language]
  if (words === undefined)
    throw new InputError(
      `task mbbq: ${file}: expected one of the languages ${Object.keys(phrases).join(', ')}, got ${language}. Add its prompts and phrases as phrases.json beside it`,
    )
  const seen = new Map<string, number>()
  const ranked = rows.map((row, i) => {
    const key = `${String(row.question_index)} ${String(row.context_condition)}`
    const rank = seen.get(key) ?? 0
    seen.set(key, rank + 1)
    return { rank, doc: itemOf(row, `${file}:${i + 1}`, words) }
  })
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .map(({ doc: { context, question, ...item } }) =>
      words.prompts.map((prompt, i) => ({
        language,
        subset,
        control: control !== undefined,
        ...item,
        prompt_number: i + 1,
        prompt: filled(prompt, { context, question, a: item.options[0]!, b: item.options[1]!, c: item.options[2]! }),
      })),
    )
}

type Item = Omit<MbbqDoc, 'language' | 'subset' | 'control' | 'prompt_number' | 'prompt'> & {
  context: string
  question: string
}

function itemOf(row: Doc, where: string, words: MbbqPhrases): Item {
  const wrong = (field: string, expected: string): InputError =>
    new InputError(`task mbbq: ${where}: ${field}: expected ${expected}, got ${brief(row[field])}`)
  const { context, question, label, context_condition: condition, answer_info: info, additional_metadata: more } = row
  if (typeof context !== 'string') throw wrong('context', 'a text')
  if (typeof question !== 'string') throw wrong('question', 'a text')
  const options = [row.ans0, row.ans1, row.ans2]
  const missing = options.findIndex((option) => typeof option !== 'string' || option === '')
  if (missing !== -1) throw wrong(`ans${missing}`, 'an answer')
  if (![0, 1, 2].includes(label as number)) throw wrong('label', '0, 1 or 2')
  if (condition !== 'ambig' && condition !== 'disambig') throw wrong('context_condition', 'ambig or disambig')
  const tags = [0, 1, 2].map((i) => (info as Record<string, readonly unknown[]> | undefined)?.[`ans${i}`]?.[1])
  const unknown = tags.indexOf('unknown')
  if (unknown === -1) throw wrong('answer_info', "a list for each answer, with 'unknown' second in one")
  const group = (tag: unknown): string => groupOf(String(tag), words)
  const stereotyped = new Set(
    ((more as { stereotyped_groups?: readonly unknown[] } | undefined)?.stereotyped_groups ?? []).map(group),
  )
  const targets = [0, 1, 2].filter((i) => i !== unknown && stereotyped.has(group(tags[i])))
  return {
    context,
    question,
    question_index: String(row.question_index),
    example_id: Number(row.example_id),
    context_condition: condition,
    options: options as string[],
    label: label as number,
    unknown,
    target: targets.length === 1 ? targets[0]! : null,
  }
}

/** A group by one name: the data writes F and woman, low SES and lowSES, for the same. */
function groupOf(tag: string, { women, men }: MbbqPhrases): string {
  const name = tag.toLowerCase().replaceAll(' ', '')
  const among = (list: readonly string[]): boolean => list.some((word) => word.replaceAll(' ', '') === name)
  return name === 'f' || among(women) ? 'f' : name === 'm' || among(men) ? 'm' : name
}

const filled = (prompt: string, values: Readonly<Record<string, string>>): string =>
  prompt.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)

/** Languages that the user adds: `phrases.json` in the folder. */
function ownPhrases(path: string): Record<string, MbbqPhrases> {
  const file = join(path, 'phrases.json')
  if (!statSync(path).isDirectory() || !existsSync(file)) return {}
  const given = jsonOf(file) as Record<string, Record<string, unknown>>
  for (const [language, words] of Object.entries(given))
    for (const field of FIELDS) {
      const list: unknown = words?.[field]
      if (!Array.isArray(list) || list.some((text) => typeof text !== 'string'))
        throw new InputError(`${language}.${field} in ${file}: expected a list of texts, got ${brief(list)}`)
    }
  return given as unknown as Record<string, MbbqPhrases>
}
