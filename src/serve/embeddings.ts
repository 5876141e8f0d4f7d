// POST /v1/embeddings: a vector of each text, by the model of embeddings or by the one that writes.

import { z } from 'zod'
import { InputError, UsageError } from '../errors.ts'
import type { Prompt } from '../lm/lm.ts'
import { ApiError } from './api-error.ts'
import type { Fields } from './fields.ts'
import { readFields } from './read-fields.ts'
import { adapterNamed, type Call, refuseFarTooLong } from './service.ts'

export interface EmbeddingFields {
  model?: string | undefined
  input: string | number[] | string[] | number[][]
  encoding_format?: 'float' | 'base64' | undefined
  dimensions?: number | undefined
}

const ids = z.array(z.int().min(0)).min(1)

export const EMBEDDING: Fields<EmbeddingFields> = {
  model: z.string().optional(),
  input: z.union([z.string(), ids, z.array(z.string()).min(1).max(2048), z.array(ids).min(1).max(2048)]),
  encoding_format: z.enum(['float', 'base64']).optional(),
  dimensions: z.int().min(1).optional().describe('So many of the first numbers, of length 1 again'),
}

/** Answers the request; vectors have length 1. */
export async function embeddings(call: Call): Promise<Response> {
  const { service, trace, signal, key } = call
  const fields = readFields(EMBEDDING, call)
  const { input, dimensions, encoding_format = 'float' } = fields
  const inputs = (typeof input === 'string' || typeof input[0] === 'number' ? [input] : input) as (string | number[])[]
  const ticket = await service.admission.enter({ rows: 1, key, signal })
  try {
    trace.admitted(ticket.waitedSeconds)
    const { vectors, tokens, model } = await vectorsOf(call, inputs, fields.model).catch((cause: unknown) => {
      throw ofInput(cause, inputs === input)
    })
    trace.model = model
    trace.read(tokens)
    const [first] = vectors
    if (dimensions !== undefined && dimensions > first!.length)
      throw new ApiError(400, `dimensions: expected at most ${first!.length}, got ${dimensions}`, {
        param: 'dimensions',
      })
    return Response.json({
      object: 'list',
      model,
      data: vectors.map((vector, index) => {
        const embedding = dimensions === undefined ? vector : shortened(vector, dimensions)
        return {
          object: 'embedding',
          index,
          embedding: encoding_format === 'float' ? Array.from(embedding) : base64(embedding),
        }
      }),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    })
  } finally {
    ticket.leave()
  }
}

async function vectorsOf(
  { service, signal }: Call,
  inputs: readonly (string | readonly number[])[],
  asked: string | undefined,
): Promise<{ vectors: readonly Float32Array[]; tokens: number; model: string }> {
  const { lm, embedder, embedderName, name } = service
  const count = (lists: readonly (readonly number[])[]): number => lists.reduce((sum, list) => sum + list.length, 0)
  if (embedder !== undefined && (asked === undefined || asked === embedderName)) {
    const read = inputs.map((input) => (typeof input === 'string' ? embedder.encode(input) : input))
    return { vectors: await embedder.embed(inputs, { signal }), tokens: count(read), model: embedderName }
  }
  const adapter = adapterNamed(service, asked)
  if (lm.embed === undefined)
    throw new ApiError(400, `model: expected one that gives vectors, got ${name}`, { param: 'model' })
  for (const input of inputs) if (typeof input === 'string') refuseFarTooLong(service, [input], 'input')
  const prompts = inputs.map((input): Prompt => (typeof input === 'string' ? { prompt: input } : { ids: input }))
  const tokens = count(prompts.map((prompt) => lm.encode(prompt)))
  return { vectors: await lm.embed(prompts, { adapter, signal }), tokens, model: asked ?? name }
}

/** An error about a text as one about the field of the request that it stands in; others as they are. */
function ofInput(cause: unknown, isList: boolean): unknown {
  if (!(cause instanceof UsageError || cause instanceof InputError)) return cause
  const [, index, fault] = /^(?:sequence|text) (\d+): (.*)$/s.exec(cause.message) ?? []
  if (fault === undefined) return cause
  const param = isList ? `input[${index}]` : 'input'
  const isTooLong = /^expected (at most|1 to) \d+ tokens.* got (?!0)/s.test(fault)
  return new ApiError(400, `${param}: ${fault}`, {
    param,
    cause,
    ...(isTooLong && { code: 'context_length_exceeded' }),
  })
}

/** The first numbers of a vector, of length 1 again. */
function shortened(vector: Float32Array, dimensions: number): Float32Array {
  const head = vector.slice(0, dimensions)
  const length = Math.hypot(...head)
  return length === 0 ? head : head.map((value) => value / length)
}

/** Little-endian float32, which is what OpenAI's client asks for. */
function base64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [i, value] of vector.entries()) bytes.writeFloatLE(value, i * 4)
  return bytes.toString('base64')
}
