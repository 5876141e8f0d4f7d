// `anneal serve --model DIR`: a model behind HTTP, as OpenAI's clients know it, until a signal ends it.

import { messageOf, UsageError } from '../errors.ts'
import { counted } from '../report/amounts.ts'
import type { Served, ServeOptions } from '../run/serve.ts'
import { eventsOf } from '../work.ts'
import { type Command, defineCommand, type OptionValues } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import { reportEvents } from './report-events.ts'
import { stopOnSignals } from './stop-on-signals.ts'

const OPTIONS = {
  model: MODEL_OPTIONS.model,
  'served-model-name': {
    kind: 'text',
    value: 'NAME',
    summary: "what requests call the model (default: its name on the hub, or its folder's)",
    library: 'name',
  },
  adapter: { kind: 'list', value: 'NAME=DIR', summary: 'a LoRA, and what requests call it', library: 'adapters' },
  adapters: {
    kind: 'text',
    value: 'DIR',
    summary: 'lets /v1/load_lora_adapter take LoRAs in from below this directory',
    library: 'adapterDirectory',
  },
  'embed-model': { kind: 'text', value: 'DIR', summary: 'an encoder for /v1/embeddings (default: the model itself)' },
  'rerank-model': {
    kind: 'text',
    value: 'DIR',
    summary: 'for /v1/rerank: a classifier of pairs, an encoder, or a language model that is asked',
  },
  services: {
    kind: 'text',
    value: 'FILE',
    summary: 'an ES module of services, for /services and as tools over MCP at /mcp; it runs in this process',
  },
  host: {
    kind: 'text',
    value: 'ADDRESS',
    summary: 'where to listen; others than this machine reach it with a key only',
    default: '127.0.0.1',
    library: 'hostname',
  },
  port: { kind: 'integer', value: 'N', summary: '0 is any that is free', default: 8080, min: 0, max: 65_535 },
  'api-key': {
    kind: 'list',
    value: 'KEY',
    summary:
      'asks for this key, or another one of these; others on this machine see it in the list of processes: better is --api-key-file',
    library: 'keys',
  },
  'api-key-file': {
    kind: 'text',
    value: 'FILE',
    summary: 'a key on each line; the environment variable ANNEAL_API_KEY is one more',
  },
  'allowed-host': {
    kind: 'list',
    value: 'NAME',
    summary: 'a name that requests may call this server by, besides those of loopback',
    library: 'allowedHosts',
  },
  'allowed-origin': {
    kind: 'list',
    value: 'ORIGIN',
    summary: 'web pages that may talk to it from a browser, such as https://chat.example.org',
    library: 'allowedOrigins',
  },
  'open-metrics': { kind: 'flag', summary: '/metrics needs no key' },
  'max-new-tokens': {
    kind: 'integer',
    value: 'N',
    summary: 'tokens of an answer where a request does not say how many',
    default: 4096,
    min: 1,
  },
  'batch-size': {
    kind: 'integer',
    value: 'N',
    summary: 'texts that are written at the same time',
    default: 16,
    min: 1,
  },
  'cache-tokens': {
    kind: 'integer',
    value: 'N',
    summary: 'tokens whose keys and values are kept, of all texts (default: what a quarter of the memory holds)',
    min: 32,
  },
  queue: {
    kind: 'integer',
    value: 'N',
    summary: 'requests that wait; others are told to come again',
    default: 64,
    min: 0,
    library: 'waiting',
  },
  'queue-seconds': {
    kind: 'number',
    value: 'S',
    summary: 'longest wait in the queue',
    default: 60,
    library: 'waitSeconds',
  },
  rate: { kind: 'integer', value: 'N', summary: 'requests of a key in a minute', min: 1, library: 'perMinute' },
  parallel: { kind: 'integer', value: 'N', summary: 'requests of a key at the same time', min: 1 },
  'drain-seconds': {
    kind: 'number',
    value: 'S',
    summary: 'time for what was begun, once a signal has come',
    default: 30,
    min: 0,
  },
  log: { kind: 'text', value: 'FILE', summary: 'appends a line of JSON for each request (default: standard error)' },
  'log-contents': { kind: 'flag', summary: 'logs what was asked and answered, too' },
  device: MODEL_OPTIONS.device,
  dtype: MODEL_OPTIONS.dtype,
  threads: MODEL_OPTIONS.threads,
} as const

export const command: Command = defineCommand({
  summary: 'serve a model over HTTP, for clients of the OpenAI API',
  options: OPTIONS,
  examples: [
    'serve --model runs/demo/model',
    'serve --model models/base --adapter poet=runs/poet --embed-model models/e5 --port 8000',
    'serve --model model.gguf --host 0.0.0.0 --api-key-file keys.txt --log requests.jsonl',
  ],
  run: async ({ options, output }) => {
    const { apiKeys } = await import('../run/api-keys.ts')
    const { requestLines } = await import('../run/request-lines.ts')
    const keys = apiKeys({ given: options.apiKey, file: options.apiKeyFile, environment: process.env })
    const adapters = adaptersOf(options.adapter)
    const log = requestLines({ file: options.log, contents: options.logContents })
    if (options.threads !== undefined) {
      const { setThreads } = await import('../torch/index.ts')
      setThreads(options.threads)
    }
    const { serve } = await import('../run/serve.ts')
    const stop = stopOnSignals(output, `ending what was begun, for ${options.drainSeconds} s at most`)
    stop.listen()
    try {
      const onServiceError = (error: unknown, name: string): void => output.note(`service ${name}: ${messageOf(error)}`)
      const wanted = { ...serveOptions(options), keys, adapters, log: log.add, onServiceError }
      const served = await reportEvents(
        eventsOf((watch) => serve(wanted, watch), { signal: stop.signal }),
        output,
      )
      output.result(described(served, keys.length))
      output.emit(eventOf(served))
      await aborted(stop.signal)
      await served.close(options.drainSeconds)
      return 0
    } catch (error) {
      if (stop.code !== undefined && stop.signal.aborted) return stop.code // while models were loaded: nothing was served
      throw error
    } finally {
      stop.release()
      await log.end()
    }
  },
})

type Options = OptionValues<typeof OPTIONS>

function serveOptions(options: Options): ServeOptions {
  const { model, servedModelName, adapters, embedModel, rerankModel, host, port, rate, parallel } = options
  const { batchSize, cacheTokens, queue, queueSeconds, device, dtype, maxNewTokens } = options
  return {
    ...{ model, port, batchSize, device, dtype, maxNewTokens },
    hostname: host,
    waiting: queue,
    waitSeconds: queueSeconds,
    allowedHosts: options.allowedHost,
    allowedOrigins: options.allowedOrigin,
    openMetrics: options.openMetrics,
    perKey: { ...(rate !== undefined && { perMinute: rate }), ...(parallel !== undefined && { parallel }) },
    ...(servedModelName !== undefined && { name: servedModelName }),
    ...(adapters !== undefined && { adapterDirectory: adapters }),
    ...(embedModel !== undefined && { embedModel }),
    ...(rerankModel !== undefined && { rerankModel }),
    ...(options.services !== undefined && { services: options.services }),
    ...(cacheTokens !== undefined && { cacheTokens }),
  }
}

/** `['poet=runs/poet']` → poet ↦ runs/poet. */
function adaptersOf(entries: readonly string[]): Record<string, string> {
  const adapters = new Map<string, string>()
  for (const entry of entries) {
    const [, name, directory] = /^([^=]+)=(.+)$/s.exec(entry) ?? []
    if (name === undefined || directory === undefined)
      throw new UsageError(`--adapter: expected a name and a directory such as poet=runs/poet, got '${entry}'`)
    if (adapters.has(name)) throw new UsageError(`--adapter: expected each name once, got ${name} twice`)
    adapters.set(name, directory)
  }
  return Object.fromEntries(adapters)
}

/** One line: where, what, and how to get in. */
function described(served: Served, keyCount: number): string {
  const { name, adapters, embedModel, rerankModel, url, contextLength } = served
  const parts = [
    `${name} (${counted(contextLength, 'token')})`,
    ...(adapters.length > 0 ? [`adapters ${adapters.join(', ')}`] : []),
    ...(embedModel !== undefined ? [`embeddings by ${embedModel}`] : []),
    ...(rerankModel !== undefined ? [`reranking by ${rerankModel}`] : []),
    ...(served.services.length > 0 ? [`services ${served.services.join(', ')}`] : []),
    keyCount === 0 ? 'no key' : counted(keyCount, 'key'),
  ]
  return `serving on ${url} (base URL for clients: ${url}/v1): ${parts.join('; ')}`
}

/** The same for programs. */
function eventOf({
  url,
  port,
  name,
  adapters,
  embedModel,
  rerankModel,
  rerankKind,
  contextLength,
  services,
}: Served): object {
  const more = { embed_model: embedModel, rerank_model: rerankModel, rerank_kind: rerankKind }
  const base = { type: 'serving', url, port, model: name, adapters, max_model_len: contextLength, ...more }
  return services.length === 0 ? base : { ...base, services }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
