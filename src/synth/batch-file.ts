// Calls as a file that a service answers later, at a lower price, in the form of OpenAI's batches: one line a call there, one line an answer
// back. The key of a call is its `custom_id`, so that answers find their calls in whatever order they come.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readRows } from '../data/read/sources.ts'
import { InputError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { isAnswer, isFields } from '../prompting/base/is-answer.ts'
import type { ModelAnswer } from '../prompting/base/model-call.ts'
import { openAi } from '../prompting/base/openai-dialect.ts'
import type { PendingCall } from './kept-model.ts'

const NAME = /^batch-(\d+)\.jsonl$/

/** Writes the calls that wait as `batch-N.jsonl`; gives the last file again where it has the very same calls. */
export function writeBatch(directory: string, pending: ReadonlyMap<string, PendingCall>): string {
  const calls = [...pending.values()].sort(
    (a, b) => (a.about.row ?? -1) - (b.about.row ?? -1) || (a.key < b.key ? -1 : 1),
  )
  const lines = calls.map(({ key, about: { model, call } }) => {
    const { stream: _, stream_options: __, ...body } = openAi.body(call, model)
    return `${JSON.stringify({ custom_id: key, method: 'POST', url: '/v1/chat/completions', body })}\n`
  })
  const numbers = readdirSync(directory).flatMap((name) => Number(NAME.exec(name)?.[1] ?? []))
  const last = Math.max(0, ...numbers)
  const text = lines.join('')
  const before = join(directory, `batch-${last}.jsonl`)
  if (existsSync(before) && readFileSync(before, 'utf8') === text) return before
  const file = join(directory, `batch-${last + 1}.jsonl`)
  writeFileAtomic(file, text)
  return file
}

/** What came back. */
export interface BatchResults {
  readonly answers: ReadonlyMap<string, ModelAnswer>
  /** Calls that the service failed at, and what it said of the first. */
  readonly failed: number
  /** Answers to calls that have another one before. */
  readonly repeated: number
  readonly fault?: string
}

/** Reads files of answers. InputError for a line that is none. */
export async function readBatchResults(paths: readonly string[]): Promise<BatchResults> {
  const answers = new Map<string, ModelAnswer>()
  let [failed, repeated] = [0, 0]
  let fault: string | undefined
  if (paths.length === 0) return { answers, failed, repeated }
  for await (const { row, id } of readRows(paths, { maxBadFraction: 0 })) {
    const { custom_id: key, response, error } = (typeof row === 'string' ? {} : row) as ResultLine
    const place = `${id.file}:${id.line}`
    if (typeof key !== 'string' || (response === undefined && error === undefined))
      throw new InputError(`${place}: expected an answer of a batch, with custom_id and response, got something else`)
    const answer = response?.status_code === 200 ? answerOf(response.body) : undefined
    // What nothing can be read from is as if it had not been answered.
    if (answer === undefined) {
      failed++
      fault ??= `${place}: ${JSON.stringify(error ?? response?.body?.error ?? response).slice(0, 200)}`
    } else if (answers.has(key)) repeated++
    else answers.set(key, answer)
  }
  return { answers, failed, repeated, ...(fault !== undefined && { fault }) }
}

interface ResultLine {
  custom_id?: unknown
  response?: { status_code?: number; body?: ResultBody | null } | null
  error?: unknown
}

/** Whoever wrote the file: nothing of it is taken on trust. */
interface ResultBody {
  choices?: readonly ({ message?: Message | null; finish_reason?: unknown } | null)[]
  usage?: unknown
  error?: unknown
}

interface Message {
  content?: unknown
  refusal?: unknown
  reasoning_content?: unknown
  tool_calls?: readonly ({ id?: unknown; function?: { name?: unknown; arguments?: unknown } } | null)[] | null
}

const FINISH = ['stop', 'length', 'tool_calls', 'content_filter'] as const

/** Undefined for what is no answer. */
function answerOf(body: ResultBody | null | undefined): ModelAnswer | undefined {
  const choice = Array.isArray(body?.choices) ? body.choices[0] : undefined
  if (!isFields(choice) || !isFields(choice.message)) return undefined
  const { content, refusal, reasoning_content, tool_calls } = choice.message as Message
  const usage = isFields(body!.usage) ? body!.usage : {}
  const count = (value: unknown): number => (Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : 0)
  const inside = (name: string, key: string): number => {
    const details = usage[name]
    return isFields(details) ? count(details[key]) : 0
  }
  const answer = {
    text: content === null || content === undefined ? (refusal ?? '') : textOf(content),
    reasoning: reasoning_content ?? '',
    toolCalls: Array.isArray(tool_calls)
      ? tool_calls.map((one) => ({ id: one?.id, name: one?.function?.name, arguments: one?.function?.arguments }))
      : (tool_calls ?? []),
    tokenIds: [],
    finishReason: FINISH.find((one) => one === choice.finish_reason) ?? 'stop',
    usage: {
      promptTokens: count(usage.prompt_tokens),
      completionTokens: count(usage.completion_tokens),
      cachedTokens: inside('prompt_tokens_details', 'cached_tokens'),
      reasoningTokens: inside('completion_tokens_details', 'reasoning_tokens'),
    },
  }
  return isAnswer(answer) ? answer : undefined
}

/** A text, or parts of it. */
function textOf(content: unknown): unknown {
  if (!Array.isArray(content)) return content
  return content.map((part: unknown) => (isFields(part) && typeof part.text === 'string' ? part.text : '')).join('')
}
