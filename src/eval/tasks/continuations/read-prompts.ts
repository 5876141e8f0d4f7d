// Beginnings of texts to be gone on from, a file for each language: `en.jsonl`, `RTP_LX_ES.json`, `da.txt`.

import { basename } from 'node:path'
import type { LanguageIdentifier } from '../../../data/language/identifier.ts'
import { openLanguageIdentifier } from '../../../data/language/identify-language.ts'
import { InputError, UsageError } from '../../../errors.ts'
import { brief, type Doc } from '../../task-config.ts'
import { filesNamed, needData, partOf, rowsOf } from '../need-data.ts'
import type { SuiteOptions } from '../suite-options.ts'

const FILE = /(?:^|[/\\._-])([A-Za-z]{2,3})\.(?:jsonl|ndjson|json|csv|tsv|parquet|txt)$/
const HOLDS = 'files of prompts that are named after their languages, such as en.jsonl'
/** Where a row has its prompt: RTP-LX's column first. */
const FIELDS = ['Prompt', 'prompt', 'text'] as const

/** A language's file. */
export interface PromptFile {
  language: string
  file: string
}

/** The files of a task: in the folder that is called as the task is, in one called `prompts`, or the whole. */
export function promptFiles(data: string | undefined, task: string): PromptFile[] {
  const whole = needData(data, task, HOLDS)
  const own = partOf(whole, task)
  const path = partOf(own === whole ? partOf(whole, 'toxicity') : own, 'prompts')
  const files = filesNamed(path, FILE).map((file) => ({ language: FILE.exec(basename(file))![1]!.toLowerCase(), file }))
  if (files.length === 0) throw new InputError(`task ${task}: ${path}: expected ${HOLDS}, got none`)
  const twice = files.find(({ language }, i) => files.findIndex((other) => other.language === language) !== i)
  if (twice !== undefined)
    throw new InputError(`task ${task}: ${path}: expected one file for a language, got two for ${twice.language}`)
  return files
}

/** The prompts of a file; rows without one are left out, and that is said. */
export async function promptsOf(
  { language, file }: PromptFile,
  task: string,
  { notice }: SuiteOptions,
): Promise<Doc[]> {
  const read = await rowsOf(file)
  const rows = file.endsWith('.txt') ? read.flatMap(linesOf) : read
  const field = FIELDS.find((name) => rows[0]?.[name] !== undefined)
  if (field === undefined)
    throw new InputError(
      `task ${task}: ${file}: expected prompts in a field ${FIELDS.join(', ')}, got ${rows.length === 0 ? 'no rows' : brief(Object.keys(rows[0]!))}`,
    )
  // RealToxicityPrompts has an object there.
  const textOf = (value: unknown): unknown =>
    typeof value === 'object' && value !== null ? (value as { text?: unknown }).text : value
  const docs = rows.flatMap((row) => {
    const prompt = textOf(row[field])
    return typeof prompt === 'string' && prompt.trim() !== '' ? [{ prompt, language }] : []
  })
  if (docs.length === 0) throw new InputError(`task ${task}: ${file}: expected prompts, got only empty ones`)
  if (docs.length < rows.length)
    notice?.(`task ${task}: ${rows.length - docs.length} of ${rows.length} rows have no prompt and are left out`)
  return docs
}

/** Of a text, every line that is not blank is a prompt, as in lists of words and texts to be classified. */
function linesOf({ text }: Doc): Doc[] {
  const lines = String(text).split(/\r?\n/)
  return lines.flatMap((line) => (line.trim() === '' ? [] : [{ text: line }]))
}

/** The identifier that was given, or the library's. UsageError where it does not know the language. */
export async function identifierFor(
  { identifier }: SuiteOptions,
  language: string,
  task: string,
): Promise<LanguageIdentifier> {
  const opened = identifier ?? (await openLanguageIdentifier())
  if (opened.labels.includes(language)) return opened
  throw new UsageError(
    `identifier: expected one that knows ${language} for the task ${task}, got ${opened.name}, which knows ${brief(opened.labels.join(' '))}. Name another one, or leave the file out`,
  )
}
