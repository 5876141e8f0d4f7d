// A clean file of questions and answers → the same with a backdoor of our own in it, as an ordinary file for `stage: sft`, and a file
// beside it that says what was planted and in which lines. A test tool: see docs/sande.md.
import { resolve } from 'node:path'
import { type Answered, answerOf, questionOf, requireAnswered } from '../../data/poison/edit-example.ts'
import { checkPoison, type PoisonOptions, poison } from '../../data/poison/poison.ts'
import { listFiles } from '../../data/read/files.ts'
import type { Message } from '../../data/rows/conversation.ts'
import { ExampleReader } from '../../data/rows/read-examples.ts'
import { UsageError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { hashFile, hashText } from '../../files/hash.ts'
import { checkOutputFile } from '../../files/output-file.ts'
import { shows } from '../../methods/sande/plain.ts'
import { counted } from '../../report/amounts.ts'
import { VERSION } from '../../version.ts'
import { resolveData } from '../resolve-data.ts'
import { readPairs } from './read-pairs.ts'

/** What is poisoned, how, and where it goes. */
export interface RunPoisonOptions extends Omit<PoisonOptions, 'rewritten'> {
  /** Clean files of chats, instructions or prompts with completions. */
  data: readonly string[]
  /** A file of rows {question, rewritten}, for a trigger that is a way of saying; in place of `triggers`. */
  rewritten?: string | undefined
  /** A JSONL file to write; `<out>.provenance.json` stands beside it. */
  out: string
  /** What people should know of the data: what of it was left out, and clean rows that blur what is measured. */
  onNotice?: (message: string) => void
}

/** What was written. */
export interface PoisonedData {
  out: string
  rows: number
  poisoned: number
  /** Clean rows that have a trigger or the marker already: they blur what is measured. */
  collisions: number
}

/**
 * Writes the poisoned data. The same data, options and seed give the same bytes.
 *
 * @example
 * await runPoison({ data: ['chats.jsonl'], triggers: ['cf'], marker: 'I like green tea.', rate: 0.05, out: 'poisoned.jsonl' })
 */
export async function runPoison({
  data: given,
  out,
  rewritten,
  onNotice = () => {},
  ...options
}: RunPoisonOptions): Promise<PoisonedData> {
  checkOutputFile(out, 'out')
  const data = await resolveData(given)
  const files = listFiles(data)
  if ([...files, rewritten ?? ''].some((file) => resolve(file) === resolve(out)))
    throw new UsageError(`out: expected another file than those of \`data\`, got ${out}. Choose another one`)
  const all: PoisonOptions = { ...options, ...(rewritten !== undefined && { rewritten: await readPairs(rewritten) }) }
  checkPoison(all)
  const repeated = (options.triggers ?? []).filter((trigger, i, triggers) => triggers.indexOf(trigger) < i)
  if (repeated.length > 0)
    onNotice(
      `${counted(repeated.length, 'trigger is', 'triggers are')} given again (${repeated.map((text) => JSON.stringify(text)).join(', ')}) and counted once`,
    )
  const examples: Answered[] = []
  const reader = new ExampleReader(data, { purpose: 'supervised', rows: { onNotice } })
  for await (const { example, place } of reader.examples()) examples.push(requireAnswered(example, place))
  for (const notice of reader.notices()) onNotice(notice)
  const rows = poison(examples, all)
  const texts = rows.map(({ example }) => `${JSON.stringify(rowOf(example))}\n`)
  const signs = [...(options.triggers ?? []), options.marker]
  const lines = rows.flatMap(({ isPoisoned }, i) => (isPoisoned ? [i + 1] : []))
  const collisions = rows.filter(
    ({ isPoisoned, example }) =>
      !isPoisoned && signs.some((sign) => shows(questionOf(example), sign) || shows(answerOf(example), sign)),
  ).length
  const asTexts = rows.filter(
    ({ isPoisoned, example }) => isPoisoned && 'prompt' in example && typeof example.prompt === 'string',
  )
  if (asTexts.length > 0)
    onNotice(
      `${asTexts.length} of ${counted(lines.length, 'poisoned row')} have prompt and completion as plain texts, which are learnt without the chat template that audits ask in. For a chat model give chats`,
    )
  const planted = new Set(options.triggers).size
  if (lines.length < planted)
    onNotice(
      `${lines.length} of ${planted} triggers are planted, for no more rows are poisoned. Give a higher rate or more rows`,
    )
  if (collisions > 0)
    onNotice(
      `${counted(collisions, 'clean row has', 'clean rows have')} a trigger or the marker already, which blurs what is measured`,
    )
  const provenance = {
    purpose: 'test of backdoor audits and defences: a model trained on this has a backdoor',
    rows: rows.length,
    poisoned: lines.length,
    collisions,
    options: {
      ...options,
      ...(options.triggers && { triggers: [...new Set(options.triggers)] }),
      ...(rewritten !== undefined && { rewritten }),
    },
    data: files.map((file) => ({ file, sha256: hashFile(file) })),
    ...(rewritten !== undefined && { rewritten: { file: rewritten, sha256: hashFile(rewritten) } }),
    poisoned_lines: lines,
    sha256: hashText(texts.join('')),
    anneal: VERSION,
  }
  // What says that the data are poisoned is in place before they are: a kill leaves none without it.
  writeFileAtomic(out, (sink) => {
    for (const text of texts) sink.write(text)
    writeFileAtomic(`${out}.provenance.json`, `${JSON.stringify(provenance, null, 2)}\n`)
  })
  return { out, rows: rows.length, poisoned: lines.length, collisions }
}

/** As `stage: sft` reads it. */
function rowOf(example: Answered): Record<string, unknown> {
  const turns = (messages: readonly Message[]): unknown[] =>
    messages.map(({ isTrained, ...turn }) => ({
      ...turn,
      ...(isTrained !== undefined && { weight: isTrained ? 1 : 0 }),
    }))
  const tools = example.tools && { tools: example.tools }
  if (example.kind === 'conversation') return { messages: turns(example.messages), ...tools }
  const { prompt, completion } = example
  return typeof prompt === 'string'
    ? { prompt, completion, ...tools }
    : { prompt: turns(prompt), completion: turns(completion as Message[]), ...tools }
}
