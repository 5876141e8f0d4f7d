// GET /v1/models, and adapters that come and go while the server runs: vLLM's shapes.

import { readdir, realpath } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { AnnealError, OutOfMemoryError } from '../errors.ts'
import { ApiError, brief } from './api-error.ts'
import type { Fields } from './fields.ts'
import { readFields } from './read-fields.ts'
import { type Call, modelNotFound, type Service } from './service.ts'

/** One model of the list. */
export interface ModelEntry {
  id: string
  object: 'model'
  created: number
  owned_by: string
  /** Where it comes from. */
  root: string
  /** Of an adapter: the model under it. */
  parent: string | null
  max_model_len: number
}

/** The model, its adapters, and what gives vectors or ranks; each name once. */
export function modelEntries({ lm, name, created, ...others }: Service): ModelEntry[] {
  const { embedder, embedderName, reranker, rerankerName } = others
  const entry = (id: string, parent: string | null, max_model_len = lm.contextLength): ModelEntry => ({
    id,
    object: 'model',
    created,
    owned_by: 'anneal',
    root: parent === null && id === name ? (lm.info?.name ?? name) : id,
    parent,
    max_model_len,
  })
  const entries = [
    entry(name, null),
    ...(lm.adapters ?? []).map((adapter) => entry(adapter, name)),
    ...(embedder === undefined ? [] : [entry(embedderName, null, embedder.contextLength)]),
    ...(reranker === undefined ? [] : [entry(rerankerName, null)]),
  ]
  return entries.filter(({ id }, i) => entries.findIndex((other) => other.id === id) === i)
}

export function models(service: Service): Response {
  return Response.json({ object: 'list', data: modelEntries(service) })
}

export function model(service: Service, id: string): Response {
  const found = modelEntries(service).find((entry) => entry.id === id)
  if (found !== undefined) return Response.json(found)
  throw modelNotFound(
    modelEntries(service).map((entry) => entry.id),
    id,
  )
}

export interface LoadAdapterFields {
  lora_name: string
  lora_path: string
}

export const LOAD_ADAPTER: Fields<LoadAdapterFields> = {
  lora_name: z.string().regex(/^[\w][\w.:/-]{0,127}$/, 'expected letters, digits and . : / - _, at most 128 of them'),
  lora_path: z.string().min(1).max(4096).describe('Below the directory that the server was given for adapters'),
}

export interface UnloadAdapterFields {
  lora_name: string
}

export const UNLOAD_ADAPTER: Fields<UnloadAdapterFields> = { lora_name: z.string() }

const notAllowed = (): ApiError =>
  new ApiError(
    403,
    'adapters: expected a server that was given a directory for them, got one without. Start `anneal serve` with --adapters DIR',
    { code: 'adapters_not_allowed' },
  )

/** Takes an adapter in, from below the directory that was allowed. */
export async function loadAdapter(call: Call): Promise<Response> {
  const { service } = call
  const fields = readFields(LOAD_ADAPTER, call)
  const { adapterDirectory, lm } = service
  if (adapterDirectory === undefined || lm.loadAdapter === undefined) throw notAllowed()
  const { lora_name: name, lora_path: path } = fields
  if (modelEntries(service).some(({ id }) => id === name))
    throw new ApiError(400, `lora_name: expected a name that is not taken, got ${brief(name)}`, { param: 'lora_name' })
  const directory = await directoryBelow(adapterDirectory, path)
  try {
    await lm.loadAdapter(name, directory)
  } catch (cause) {
    if (!(cause instanceof AnnealError) || cause instanceof OutOfMemoryError) throw cause
    // Where it lies on this machine is not the client's to know.
    const message = `lora_path: ${cause.message.replaceAll(directory, path)}`
    throw new ApiError(400, message, { param: 'lora_path', cause })
  }
  return Response.json({ message: `adapter ${name} is loaded` })
}

/** Gives an adapter up. */
export async function unloadAdapter(call: Call): Promise<Response> {
  const { service } = call
  const fields = readFields(UNLOAD_ADAPTER, call)
  const { adapterDirectory, lm } = service
  if (adapterDirectory === undefined || lm.unloadAdapter === undefined) throw notAllowed()
  if (!lm.adapters?.includes(fields.lora_name))
    throw new ApiError(
      404,
      `lora_name: expected ${lm.adapters?.map((name) => brief(name)).join(' or ') || 'none, for none is loaded'}, got ${brief(fields.lora_name)}`,
      {
        param: 'lora_name',
      },
    )
  await lm.unloadAdapter(fields.lora_name)
  return Response.json({ message: `adapter ${fields.lora_name} is unloaded` })
}

/** The real path of `path` below `directory`; links that lead out of it, or from it as its files, are followed and refused. */
async function directoryBelow(directory: string, path: string): Promise<string> {
  const root = await realpath(directory)
  const missing = (): ApiError =>
    new ApiError(400, 'lora_path: expected a directory below the one for adapters, got another path', {
      param: 'lora_path',
    })
  if (path.includes('\0')) throw missing()
  const real = await realpath(resolve(root, path)).catch(() => {
    throw missing()
  })
  if (!isBelow(root, real)) throw missing()
  // What is not a directory has no files, and whoever loads it says so.
  const names = await readdir(real).catch(() => [])
  for (const name of names) {
    const file = await realpath(join(real, name)).catch(() => undefined)
    if (file === undefined || isBelow(root, file)) continue
    throw new ApiError(
      400,
      'lora_path: expected files that are below the directory for adapters, got a link out of it',
      {
        param: 'lora_path',
      },
    )
  }
  return real
}

function isBelow(root: string, path: string): boolean {
  const inside = relative(root, path)
  return !(inside === '' || inside === '..' || inside.startsWith('../') || isAbsolute(inside))
}
