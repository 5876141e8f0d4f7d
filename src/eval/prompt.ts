// The text that a model reads before its answer: description, few-shot examples and the question, put together as lm-evaluation-harness
// 0.4.13 does; as running text, or as the messages of a chat.

import { InputError } from '../errors.ts'
import type { ChatMessage } from '../text/chat-template.ts'
import { PythonRandom } from './python-random.ts'
import type { Target, Task } from './task.ts'
import { brief, type Doc } from './task-config.ts'

/** Renders messages; where the last one is the assistant's, its turn goes on. */
export type RenderChat = (messages: readonly ChatMessage[]) => string

/** How questions are put. */
export interface PromptOptions {
  systemInstruction?: string | undefined
  /** With it, texts are the turns of a chat. */
  renderChat?: RenderChat | undefined
  /** Few-shot examples are turns of their own in the chat, not one turn together with the question. */
  fewshotAsMultiturn?: boolean | undefined
}

interface Turn {
  role: 'system' | 'user' | 'assistant'
  content: string
  /** What follows it where it is running text. */
  delimiter: string
}

/** Draws the examples of one document after the other, in the order of the documents. */
export class FewshotSampler {
  readonly #task: Task
  readonly #random: PythonRandom
  /** The examples as texts, and how often each is there, where a document must not be its own example. */
  readonly #keys = new Map<Doc, string>()
  readonly #counts = new Map<string, number>()

  constructor(task: Task, seed: number) {
    this.#task = task
    this.#random = new PythonRandom(seed)
    if (task.numFewshot === 0 || !task.drawsFromItself) return
    for (const shot of task.shots) {
      const key = JSON.stringify(shot)
      this.#keys.set(shot, key)
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    }
  }

  next(doc: Doc): readonly Doc[] {
    const { numFewshot: count, shots, drawsFromItself, name } = this.#task
    if (count === 0) return []
    const own = drawsFromItself ? JSON.stringify(doc) : undefined
    const isOther = (shot: Doc): boolean => own === undefined || this.#keys.get(shot) !== own
    const most = shots.length - (own === undefined ? 0 : (this.#counts.get(own) ?? 0))
    if (count > most)
      throw new InputError(
        `task ${name}: num_fewshot: expected at most ${most}, the examples that there are, got ${count}`,
      )
    if (this.#task.fewshot.sampler === 'first_n') {
      const first: Doc[] = []
      for (let i = 0; first.length < count; i++) if (isOther(shots[i]!)) first.push(shots[i]!)
      return first
    }
    if (own === undefined) return this.#random.sample(shots, count)
    // One more, in case it is among them; where it is there several times, once more without it.
    const drawn = this.#random
      .sample(shots, Math.min(shots.length, count + 1))
      .filter(isOther)
      .slice(0, count)
    return drawn.length === count ? drawn : this.#random.sample(shots.filter(isOther), count)
  }
}

/** The context of a document; one for each choice where the choices are questions. */
export function contextOf(
  task: Task,
  doc: Doc,
  id: number,
  shots: readonly Doc[],
  options: PromptOptions = {},
): string | string[] {
  const { config, targetDelimiter } = task
  const prefix = task.extra(config.gen_prefix, doc, id, 'gen_prefix')
  const turns: Turn[] = []
  const system = joined(
    options.systemInstruction ?? '',
    task.extra(config.description, doc, id, 'description'),
    task.fewshotDelimiter,
  )
  if (system !== '') turns.push({ role: 'system', content: system, delimiter: '' })
  const messages = config.doc_to_messages?.(doc)
  if (messages !== undefined) return dialogue(messages, system, options)
  for (const shot of shots) turns.push(...exampleTurns(task, shot))
  const write = (question: string, delimiter: string): string =>
    written([...turns, ...questionTurns(question, prefix, delimiter)], options)
  if (task.hasManyInputs) return task.choices(doc, id).map((question) => write(question, ''))
  return write(asText(task.text(doc, id), task, id), targetDelimiter)
}

/** A dialogue up to the turn that is wanted. */
function dialogue(messages: readonly ChatMessage[], system: string, { renderChat }: PromptOptions): string {
  const own = messages.filter(({ role }) => role === 'system').map(({ content }) => String(content))
  const said = messages.filter(({ role }) => role !== 'system')
  const first = [system, ...own].filter((text) => text !== '').join('\n\n')
  if (renderChat !== undefined)
    return renderChat([...(first === '' ? [] : [{ role: 'system', content: first }]), ...said])
  const lines = said.map(({ role, content }) => `${role === 'user' ? 'Client' : 'Counsellor'}: ${String(content)}`)
  return [...(first === '' ? [] : [first, '']), ...lines, 'Counsellor:'].join('\n')
}

function exampleTurns(task: Task, shot: Doc): Turn[] {
  const { fewshot, config } = task
  const id = task.shots.indexOf(shot)
  const choiceField = fewshot.doc_to_choice ?? config.doc_to_choice
  const choices = choiceField === undefined ? undefined : task.choices(shot, id, choiceField)
  const asked = task.text(shot, id, fewshot.doc_to_text ?? config.doc_to_text)
  const question = task.hasManyInputs ? choices![asked as number]! : asText(asked, task, id)
  const answer = answerOf(
    task.target(shot, id, fewshot.doc_to_target ?? config.doc_to_target),
    task.hasManyInputs ? undefined : choices,
    task,
    id,
  )
  const prefix = task.extra(fewshot.gen_prefix ?? config.gen_prefix, shot, id, 'gen_prefix')
  const delimiter = fewshot.target_delimiter ?? task.targetDelimiter
  if (answer === '') return questionTurns(question, prefix, delimiter)
  const needsDelimiter = prefix === '' || isApart(question, prefix)
  return [
    { role: 'user', content: question, delimiter: needsDelimiter ? delimiter : '' },
    {
      role: 'assistant',
      content: joined(prefix, answer, ' '),
      delimiter: fewshot.fewshot_delimiter ?? task.fewshotDelimiter,
    },
  ]
}

function questionTurns(question: string, prefix: string, delimiter: string): Turn[] {
  const turn: Turn = {
    role: 'user',
    content: question,
    delimiter: prefix !== '' && isApart(question, prefix) ? delimiter : '',
  }
  return prefix === '' ? [turn] : [turn, { role: 'assistant', content: prefix, delimiter: '' }]
}

function answerOf(target: Target, choices: readonly string[] | undefined, task: Task, id: number): string {
  const first = Array.isArray(target) ? (target as readonly (string | number)[])[0] : (target as string | number)
  if (typeof first === 'string') return first
  const chosen = choices?.[first as number]
  if (chosen !== undefined) return chosen
  if (choices === undefined && first !== undefined) return String(first)
  throw new InputError(
    `task ${task.name}, few-shot example ${id}, doc_to_target: expected one of its ${choices?.length ?? 0} choices, got ${brief(target)}`,
  )
}

function asText(value: string | number, task: Task, id: number): string {
  if (typeof value === 'string') return value
  throw new InputError(`task ${task.name}, document ${id}, doc_to_text: expected a text, got ${value}`)
}

function written(turns: readonly Turn[], { renderChat, fewshotAsMultiturn }: PromptOptions): string {
  const text = (list: readonly Turn[]): string => list.map(({ content, delimiter }) => content + delimiter).join('')
  if (renderChat === undefined) return text(turns)
  if (fewshotAsMultiturn) return renderChat(turns.map(({ role, content }) => ({ role, content })))
  const system = turns[0]?.role === 'system' ? [turns[0]] : []
  const rest = turns.slice(system.length)
  const begun = rest.at(-1)?.role === 'assistant' ? [rest.at(-1)!] : []
  const asked = rest.slice(0, rest.length - begun.length)
  const last = { ...asked.at(-1)!, delimiter: '' }
  const user = { role: 'user', content: text([...asked.slice(0, -1), last]) }
  return renderChat([...system, user, ...begun].map(({ role, content }) => ({ role, content })))
}

/** Joins two texts, with the delimiter between them where neither has white space there. */
function joined(before: string, after: string, delimiter: string): string {
  if (before === '' || after === '') return before + after
  return isApart(before, after) ? before + delimiter + after : before + after
}

const isApart = (before: string, after: string): boolean => before !== '' && !/\s$/u.test(before) && !/^\s/u.test(after)
