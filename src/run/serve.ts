// A model from a path, served over HTTP: the models are loaded, and the server of `anneal/serve` listens.
import { statSync } from 'node:fs'
import { createServer as createSocket } from 'node:net'
import { InputError, messageOf, UsageError } from '../errors.ts'
import { contextLength } from '../infer/context.ts'
import { BLOCK_TOKENS } from '../infer/paged-cache.ts'
import { noticeOfUnfollowed } from '../infer/unfollowed-keys.ts'
import { localModel } from '../prompting/base/local-model.ts'
import { serviceHandler } from '../prompting/service/service-handler.ts'
import { Guard } from '../serve/guard.ts'
import { type Listening, listen } from '../serve/listen.ts'
import { createServer, type ServerOptions } from '../serve/server.ts'
import type { Watch } from '../work.ts'
import { loadEmbedder } from './load-embedder.ts'
import { type LoadLmOptions, loadLm } from './load-lm.ts'
import { readServices } from './load-services.ts'
import { modelNotices } from './model-notices.ts'
import { titleOf } from './model-source.ts'
import { type OpenedReranker, openReranker } from './open-reranker.ts'
import { resolveModelPath } from './resolve-model.ts'

/** What is served, and how. */
export interface ServeOptions
  extends Omit<ServerOptions, 'embedder' | 'embedderName' | 'reranker' | 'rerankerName' | 'rows'>,
    Pick<LoadLmOptions, 'adapters' | 'batchSize' | 'cacheTokens' | 'dtype'> {
  /** A directory, GGUF file or adapter, or its name on the hub. */
  model: string
  /** An encoder for `/v1/embeddings`. Default: the model itself. */
  embedModel?: string
  /** For `/v1/rerank`; see `openReranker`. */
  rerankModel?: string
  /** A file of services; see `readServices`. They are made of the model where the file asks for one. */
  services?: string
  /** Hears of errors of services, of which callers are told no more than that there was one. */
  onServiceError?: (error: unknown, service: string) => void
  device?: 'auto' | 'cpu' | 'cuda'
  /** Default 8080; 0 is any that is free. */
  port?: number
}

/** A server that listens. */
export interface Served extends Listening {
  /** The name of the model, and those of its adapters. */
  readonly name: string
  readonly adapters: readonly string[]
  readonly embedModel: string | undefined
  readonly rerankModel: string | undefined
  /** What `rerankModel` goes by. */
  readonly rerankKind: OpenedReranker['kind'] | undefined
  readonly contextLength: number
  /** Names of its services. */
  readonly services: readonly string[]
}

const OWN: Readonly<Record<Exclude<keyof ServeOptions, keyof ServerOptions>, true>> = {
  model: true,
  adapters: true,
  embedModel: true,
  rerankModel: true,
  services: true,
  onServiceError: true,
  device: true,
  dtype: true,
  batchSize: true,
  cacheTokens: true,
  port: true,
}

/**
 * Loads models and serves them. What is wrong with the address or the keys is told before anything is loaded. `close` ends what was begun,
 * then frees the models. Throws the signal's reason where it comes while models are loaded.
 *
 * @example
 * const served = await serve({ model: 'runs/demo/model', port: 8080 })
 * process.once('SIGTERM', () => void served.close())
 */
export async function serve(options: ServeOptions, watch?: Watch): Promise<Served> {
  const { model, adapters, embedModel, rerankModel, device = 'auto', dtype = 'auto', port = 8080 } = options
  const { batchSize = 16, cacheTokens, ...rest } = options
  const serving = Object.fromEntries(
    Object.entries(rest).filter(([name]) => !Object.hasOwn(OWN, name)),
  ) as ServerOptions
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw new UsageError(`port: expected a whole number from 0 to 65535, got ${port}`)
  new Guard(serving) // throws
  const { adapterDirectory } = serving
  if (adapterDirectory !== undefined && !statSync(adapterDirectory, { throwIfNoEntry: false })?.isDirectory())
    throw new InputError(
      `${adapterDirectory}: expected a directory to load adapters from, got none. Check the path, or make it`,
    )
  await checkAddress(serving.hostname ?? '127.0.0.1', port)
  const file = options.services === undefined ? undefined : await readServices(options.services)
  const notice = (message: string): void => watch?.tell?.({ type: 'notice', message })
  const opened: { free(): void }[] = []
  const turn = (): void => watch?.signal?.throwIfAborted() // between two models: loading one is not interrupted
  const free = (): void => {
    for (const one of opened.splice(0)) one.free()
  }
  try {
    const lm = await loadLm(await resolveModelPath(model, watch), {
      device,
      dtype,
      batchSize,
      tell: notice,
      ...(adapters !== undefined && { adapters }),
      ...(cacheTokens !== undefined && { cacheTokens }),
    })
    opened.push(lm)
    turn()
    const unfollowed = noticeOfUnfollowed(lm.generationConfig.unfollowed)
    for (const message of modelNotices(lm.model.config, lm.tokenizer)) notice(message)
    if (unfollowed !== undefined) notice(unfollowed)
    const cached = lm.load.blocks * BLOCK_TOKENS
    const whole = contextLength(lm.model.config)
    if (cached < whole)
      notice(
        `a prompt and its text have at most ${lm.contextLength} tokens together, where the model could take ${whole}: the cache holds no more`,
      )
    if (!lm.canChat) notice('the model has no chat template: /v1/chat/completions is refused, /v1/completions is there')
    const embedder = embedModel === undefined ? undefined : await loadEmbedder(embedModel, { device })
    if (embedder !== undefined) opened.push(embedder)
    turn()
    const reranker = rerankModel === undefined ? undefined : await openReranker(rerankModel, { device }, watch)
    if (reranker !== undefined) opened.push(reranker)
    turn()
    const name = serving.name ?? lm.info?.name ?? 'model'
    const embedderName = embedModel === undefined ? undefined : titleOf(await resolveModelPath(embedModel))
    const rerankerName = rerankModel === undefined ? undefined : titleOf(await resolveModelPath(rerankModel))
    const names = [name, ...lm.adapters, ...(embedderName === undefined ? [] : [embedderName])]
    const twice = names.find((one, i) => names.indexOf(one) < i)
    if (twice !== undefined)
      throw new UsageError(`name: expected another one for each model and adapter, got ${twice} twice. Choose another`)
    const made = await file?.make(localModel(lm, { name, ...(embedder !== undefined && { embedder }) }))
    const { onServiceError: onError } = options
    const mounts = made === undefined ? [] : [serviceHandler(made, onError === undefined ? {} : { onError })]
    const server = createServer(lm, {
      ...serving,
      mounts: [...(serving.mounts ?? []), ...mounts],
      name,
      rows: batchSize,
      ...(embedder !== undefined && { embedder }),
      ...(embedderName !== undefined && { embedderName }),
      ...(reranker !== undefined && { reranker }),
      ...(rerankerName !== undefined && { rerankerName }),
    })
    const listening = await listen(server, { port })
    return {
      ...listening,
      name,
      adapters: lm.adapters,
      embedModel: embedderName,
      rerankModel: rerankerName,
      rerankKind: reranker?.kind,
      contextLength: lm.contextLength,
      services: (made ?? []).map((one) => one.name),
      close: async (seconds) => {
        await listening.close(seconds)
        free()
      },
    }
  } catch (error) {
    free()
    throw error
  }
}

/** UsageError where the address is taken or not this machine's: told now, not after minutes of loading. */
async function checkAddress(hostname: string, port: number): Promise<void> {
  const socket = createSocket()
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.listen(port, hostname, resolve)
    })
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    const message =
      code === 'EADDRINUSE'
        ? `port: expected one that is free, got ${port}, where something listens already. Choose another, or 0 for any`
        : code === 'EACCES'
          ? `port: expected one that this user may listen on, got ${port}. Choose one above 1023, or 0 for any`
          : `hostname: expected an address of this machine, got ${hostname} (${messageOf(cause)})`
    throw new UsageError(message, { cause })
  } finally {
    await new Promise((resolve) => socket.close(resolve))
  }
}
