// Services from a file: an ES module whose default export is a list of them, or a function that makes them of a model.

import { statSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { hasCode, InputError, messageOf, UsageError } from '../errors.ts'
import type { Model } from '../prompting/base/model.ts'
import type { Service } from '../prompting/service/service.ts'

/** A file that was read. */
export interface ServicesFile {
  /** Whether it makes its services of a model. */
  readonly needsModel: boolean
  /** Its services. UsageError where it needs a model and there is none. */
  make(model?: Model): Promise<Service[]>
}

/**
 * Reads a file of services, which runs it. InputError for a file that cannot be loaded, or whose default export is something else.
 *
 * @example
 * const file = await readServices('services.mjs')
 * const services = await file.make(localModel(lm))
 */
export async function readServices(path: string): Promise<ServicesFile> {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new InputError(`${path}: expected a file of services, got nothing. Check the path`)
  let exported: unknown
  try {
    ;({ default: exported } = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown })
  } catch (cause) {
    if (hasCode(cause, 'ERR_UNKNOWN_FILE_EXTENSION'))
      throw new InputError(
        `${path}: expected .mjs or .js, got ${extname(path)}, which Node ${process.versions.node} does not read. Compile it, or run with NODE_OPTIONS=--import=tsx`,
        { cause },
      )
    const todo = hasCode(cause, 'ERR_MODULE_NOT_FOUND') ? '. Install what it imports in its folder or above' : ''
    throw new InputError(`${path}: expected a module that can be loaded, got an error: ${messageOf(cause)}${todo}`, {
      cause,
    })
  }
  const needsModel = typeof exported === 'function'
  return {
    needsModel,
    make: async (model) => {
      if (typeof exported !== 'function') return listOf(exported, path)
      if (model === undefined)
        throw new UsageError(`model: expected one, for ${path} makes its services of a model, got none`)
      return listOf(await (exported as (model: Model) => unknown)(model), path)
    },
  }
}

function listOf(made: unknown, path: string): Service[] {
  const list = Array.isArray(made) ? (made as unknown[]) : [made]
  const wrong = list.findIndex((one) => !isService(one))
  if (list.length > 0 && wrong === -1) return list as Service[]
  const got = made === undefined ? 'nothing' : list.length === 0 ? 'an empty list' : `something else at ${wrong}`
  throw new InputError(
    `${path}: expected its default export to be a list of services, or a function of a model that gives one, got ${got}. Make them with \`service\` of anneal/prompting/service`,
  )
}

function isService(one: unknown): boolean {
  const { name, call, stream } = (one ?? {}) as Partial<Service>
  return typeof name === 'string' && typeof call === 'function' && typeof stream === 'function'
}
