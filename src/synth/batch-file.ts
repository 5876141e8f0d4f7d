// Calls as a file that a service answers later, at a lower price, in the form of OpenAI's batches: one line a call there, one line an answer
// back. The key of a call is its `custom_id`, so that answers find their calls in whatever order they come.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readRows } from '../data/read/sources.ts'
import { InputError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
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
  readonly fault?: string
}

/** Reads files of answers. InputError for a line that is none. */
export async function readBatchResults(paths: readonly string[]): Promise<BatchResults> {
  const answers = new Map<string, ModelAnswer>()
  let failed = 0
  let fault: string | undefined
  if (paths.length === 0) return { answers, failed }
  for await (const { row, id } of readRows(paths, { maxBadFraction: 0 })) {
    const { custom_id: key, response, error } = (typeof row === 'string' ? {} : row) as ResultLine
    const place = `${id.file}:${id.line}`
    if (typeof key !== 'string' || (response === undefined && error === undefined))
      throw new InputError(`${place}: expected an answer of a batch, with custom_id and response, got something else`)
    const choice = response?.body?.choices?.[0]
    if (response?.status_code !== 200 || typeof choice?.message !== 'object') {
      failed++
      fault ??= `${place}: ${JSON.stringify(error ?? response?.body?.error ?? response).slice(0, 200)}`
      continue
    }
    answers.set(key, answerOf(choice, response.body?.usage ?? {}))
  }
  return { answers, failed, ...(fault !== undefined && { fault }) }
}

interface Choice {
  message?: { content?: unknown; reasoning_content?: unknown; tool_calls?: readonly ToolCallLine[] | null }
  finish_reason?: string
}

interface ToolCallLine {
  id: string
  function: { name: string; arguments: string }
}

interface Usage {
  prompt_tokens?: number
  completion_tokens?: number
  prompt_tokens_details?: { cached_tokens?: number } | null
  completion_tokens_details?: { reasoning_tokens?: number } | null
}

interface ResultLine {
  custom_id?: unknown
  response?: { status_code?: number; body?: { choices?: readonly Choice[]; usage?: Usage; error?: unknown } } | null
  error?: unknown
}

const FINISH = ['stop', 'length', 'tool_calls', 'content_filter'] as const

function answerOf({ message = {}, finish_reason }: Choice, usage: Usage): ModelAnswer {
  const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
  return {
    text: textOf(message.content),
    reasoning: textOf(message.reasoning_content),
    toolCalls: (message.tool_calls ?? []).map(({ id, function: { name, arguments: given } }) => ({
      id,
      name,
      arguments: given,
    })),
    tokenIds: [],
    finishReason: FINISH.find((one) => one === finish_reason) ?? 'stop',
    usage: {
      promptTokens: usage.prompt_tokens ?? 0,
      completionTokens: usage.completion_tokens ?? 0,
      cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? 0,
      reasoningTokens: usage.completion_tokens_details?.reasoning_tokens ?? 0,
    },
  }
}
