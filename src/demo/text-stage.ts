// Stage 1: text. Everything is read and judged in memory, up to a limit, before the first file is written: a folder
// without text leaves nothing behind.

import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { hashText } from '../files/hash.ts'
import { printable } from '../printable.ts'
import { amount } from '../report/amounts.ts'
import { packageRoot } from '../torch/setup/directories.ts'
import { VERSION } from '../version.ts'
import { type Curated, curate, curateKind } from './curate.ts'
import { type FoundText, findText } from './find-text.ts'
import type { DemoContext, DemoSettings, DemoStage, StageOutcome } from './stage.ts'

/** About 1,000 tokens: long enough to learn from, and short enough that one book gives many to hold out. */
const PASSAGE_LENGTH = 4000
/** More than a demo of minutes can read even once. */
const MAX_BYTES = 12e6
/** Three passages: below that there is nothing to hold out. */
const LEAST_CHARACTERS = 10_000
const HELD_OUT_SHARE = 0.05
/** What is evaluated ten times in a run must not take longer than the training. */
const MOST_HELD_OUT_BYTES = 60_000
/** Kept from pre-training, for the model to be fine-tuned on. */
const APART = { heldOutShare: 0.2, mostHeldOutBytes: 20_000 }
const APART_SHARE = 0.1
/** Of a kind that is found apart from the text; more than a demo gets through. */
const MOST_APART_BYTES = 800_000
const SHARD_BYTES = 4e6

export const textStage: DemoStage = {
  name: 'text',
  title: 'reading and sorting text',
  run: async function* (context) {
    const { settings, results } = context
    const notices: string[] = []
    const found = findText(settings.text, settings.textKey, (message) => notices.push(message))
    const curated = await curate(found.documents, {
      passageLength: PASSAGE_LENGTH,
      maxBytes: MAX_BYTES,
      heldOutShare: HELD_OUT_SHARE,
      mostHeldOutBytes: MOST_HELD_OUT_BYTES,
      ...(found.apart === undefined && { apart: { ...APART, share: APART_SHARE } }),
    })
    for (const message of notices.splice(0)) yield { type: 'notice', message }
    checkAmount(found, curated)
    if (found.apart !== undefined) {
      const options = { ...APART, passageLength: PASSAGE_LENGTH, mostBytes: MOST_APART_BYTES }
      curated.apart = curateKind(found.apart.documents, found.apart.description, options)
    }
    const { train, heldOut, apart, trainBytes, heldOutBytes } = curated
    const isOwn = settings.text.length > 0
    results.text = {
      ...curated,
      description: found.description,
      prompts: isOwn ? openings(heldOut) : ['The function returns', 'If you want to'],
      apartPrompts: openings(apart.heldOut),
    }
    results.inputs = hashInputs(settings, curated)
    if (!context.begin(results.inputs)) return kept(context)
    const { paths } = context
    writeShards(paths.train, train)
    writeShards(paths.heldOut, heldOut)
    writeShards(paths.apartTrain, apart.train)
    writeShards(paths.apartHeldOut, apart.heldOut)
    const leftOut = { ...found.leftOut(), ...describeDropped(curated) }
    const rows: [string, string | number][] = [
      ['documents read', curated.documents],
      ['passages to train on', train.length],
      ['passages held out', heldOut.length],
      ['passages set apart for fine-tuning', apart.train.length + apart.heldOut.length],
      ['text to train on', amount(trainBytes, 'bytes')],
      ['text held out', amount(heldOutBytes, 'bytes')],
      ...Object.entries(leftOut)
        .filter(([, count]) => count > 0)
        .map(([what, count]): [string, number] => [`left out: ${what}`, count]),
    ]
    return {
      summary:
        `${amount(trainBytes + heldOutBytes, 'bytes')} in ${train.length + heldOut.length} passages of ${found.description}, ` +
        `and ${amount(apart.trainBytes + apart.heldOutBytes, 'bytes')} set apart for fine-tuning`,
      numbers: {
        documents: curated.documents,
        train_passages: train.length,
        held_out_passages: heldOut.length,
        apart_passages: apart.train.length + apart.heldOut.length,
        train_bytes: trainBytes,
        held_out_bytes: heldOutBytes,
        left_out: leftOut,
      },
      sections: [
        {
          title: 'The text',
          lead:
            `Read from ${found.description}. Long documents are cut at blank lines into passages of at most ${curated.passageLength.toLocaleString('en')} characters; ` +
            `one in ${Math.round((train.length + heldOut.length) / heldOut.length)}, chosen by its hash, is held out: the model never trains on it and is judged by it.` +
            (curated.isCut
              ? ` Reading ended at ${amount(MAX_BYTES, 'bytes')}, which is more than a demo gets through.`
              : ''),
          blocks: [{ kind: 'table', columns: ['', ''], rows }],
        },
      ],
    }
  },
}

/** Everything that the result depends on but the machine and the clock. */
function hashInputs({ steps, minutes, seed }: DemoSettings, curated: Curated): string {
  const recipe = readFileSync(join(packageRoot, 'recipes', 'demo.yaml'), 'utf8')
  const length = steps === undefined ? { minutes } : { steps }
  return hashText(JSON.stringify([VERSION, recipe, length, seed, curated]))
}

function kept({ results, shown, settings }: DemoContext): StageOutcome {
  const prompt = results.text?.apartPrompts[0]
  if (prompt !== undefined && existsSync(shown.adapter)) results.adapter = { directory: shown.adapter, prompt }
  return {
    summary: `the demo in ${settings.out} was made from this text with these settings, and is kept`,
    numbers: { kept: true },
    isKept: true,
  }
}

function everyText({ train, heldOut, apart }: Curated): string[] {
  return [...train, ...heldOut, ...apart.train, ...apart.heldOut]
}

function checkAmount({ description }: FoundText, curated: Curated): void {
  const { dropped } = curated
  const characters = everyText(curated).reduce((sum, text) => sum + text.length, 0)
  if (characters >= LEAST_CHARACTERS) return
  const unusable = dropped.short + dropped.repeated + dropped.wordless
  const also = unusable > 0 ? ` (${unusable} passages were too short, repeated, or hardly words)` : ''
  throw new InputError(
    `text in ${description}: expected at least ${LEAST_CHARACTERS} characters of it, got ${characters}${also}. Give more with --text PATH`,
  )
}

function describeDropped({ dropped }: Curated): Record<string, number> {
  return {
    'passages that are too short': dropped.short,
    'repeated passages': dropped.repeated,
    'passages of links, markup or numbers': dropped.wordless,
  }
}

function writeShards(directory: string, texts: readonly string[]): void {
  mkdirSync(directory, { recursive: true })
  let lines: string[] = []
  let bytes = 0
  let index = 0
  const flush = (): void => {
    const name = `${String(index++).padStart(5, '0')}.jsonl`
    writeFileAtomic(join(directory, name), `${lines.join('\n')}\n`)
    lines = []
    bytes = 0
  }
  for (const text of texts) {
    const line = JSON.stringify({ text })
    lines.push(line)
    bytes += line.length
    if (bytes >= SHARD_BYTES) flush()
  }
  if (lines.length > 0) flush()
}

/** How two held-out passages begin: prompts in the language of the text that the model has not seen. */
function openings(heldOut: readonly string[]): string[] {
  return [...new Set(heldOut.map(opening))].slice(0, 2)
}

function opening(text: string): string {
  // From the first letter on, so that a list or a heading does not give an option-like `- word`.
  const line = printable(/[\p{L}\p{N}].*/u.exec(text)?.[0] ?? text).slice(0, 32)
  const end = line.lastIndexOf(' ')
  return (end > 8 ? line.slice(0, end) : line.slice(0, 12)).toWellFormed()
}
