// What the server tells Prometheus: vLLM's names behind a prefix of ours, so that its dashboards need that change only.

import type { FinishReason, LmLoad, Usage } from '../lm/lm.ts'
import { type Counter, Exposition, type Histogram, type Labels } from './exposition.ts'

/** Where the numbers come from that nobody reports. */
export interface MetricsSources {
  /** Of every sample, as `model_name`. */
  modelName: string
  /** Of the model. */
  load?: () => LmLoad | undefined
  /** Of the queue before it. */
  queue?: { readonly running: number; readonly waiting: number }
}

// vLLM's bounds: quantiles of both can be laid side by side.
const FIRST_TOKEN = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
]
const NEXT_TOKEN = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80]
const REQUEST = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680]
const LAG = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const LAG_EVERY_MS = 50
const REASONS = ['stop', 'length', 'abort'].map((reason) => ({ finished_reason: reason }))

/** The server's own numbers. Seconds are seconds, not milliseconds. */
export class Metrics {
  readonly exposition: Exposition
  private readonly firstToken: Histogram
  private readonly nextToken: Histogram
  private readonly request: Histogram
  private readonly queue: Histogram
  private readonly lag: Histogram
  private readonly prompt: Counter
  private readonly generation: Counter
  private readonly cacheQueries: Counter
  private readonly cacheHits: Counter
  private readonly success: Counter
  private readonly errors: Counter
  private readonly http: Counter
  private timer: NodeJS.Timeout | undefined

  constructor({ modelName, load = () => undefined, queue }: MetricsSources) {
    const all = new Exposition({ model_name: modelName })
    this.exposition = all
    const gauge = (name: string, help: string, read: () => number | undefined): void =>
      all.gauge(`anneal:${name}`, help, read)
    const counter = (name: string, help: string, known?: Labels[]): Counter =>
      all.counter(`anneal:${name}`, help, known)
    const seconds = (name: string, help: string, buckets: readonly number[]): Histogram =>
      all.histogram(`anneal:${name}`, help, buckets)

    gauge('num_requests_running', 'Texts that the model writes or reads.', () => load()?.running ?? queue?.running)
    gauge(
      'num_requests_waiting',
      'Requests and texts that wait for their turn.',
      () => (load()?.waiting ?? 0) + (queue?.waiting ?? 0),
    )
    gauge('kv_cache_usage_perc', 'Blocks of the cache that texts hold; 1 is all of them.', () => {
      const now = load()
      return now === undefined || now.blocks === 0 ? undefined : now.usedBlocks / now.blocks
    })
    this.firstToken = seconds('time_to_first_token_seconds', 'From a request to its first token.', FIRST_TOKEN)
    this.nextToken = seconds('inter_token_latency_seconds', 'From a token to the next one.', NEXT_TOKEN)
    this.request = seconds('e2e_request_latency_seconds', 'From a request to the end of its answer.', REQUEST)
    this.queue = seconds('request_queue_time_seconds', 'In the queue.', REQUEST)
    this.prompt = counter('prompt_tokens_total', 'Tokens of prompts, those from the cache included.')
    this.generation = counter('generation_tokens_total', 'Tokens written.')
    this.cacheQueries = counter('prefix_cache_queries_total', 'Tokens of prompts that were looked up in the cache.')
    this.cacheHits = counter('prefix_cache_hits_total', 'Tokens of prompts that were found there.')
    this.success = counter('request_success_total', 'Texts that came to their end, by what ended them.', REASONS)
    this.errors = counter('request_errors_total', 'Answers that are errors, by status.', [])
    this.http = counter('http_requests_total', 'Answers by method, route and status.', [])
    this.lag = seconds(
      'engine_lag_seconds',
      'How late the thread comes to what is due: as long as a step holds it.',
      LAG,
    )
    processGauges(all)
  }

  /** A request went from the queue to the model. */
  queued(seconds: number): void {
    this.queue.observe(seconds)
  }

  first(seconds: number): void {
    this.firstToken.observe(seconds)
  }

  /** So many tokens came together, `seconds` after the one before. */
  next(seconds: number, tokens = 1): void {
    if (tokens > 0) this.nextToken.observe(seconds / tokens, tokens)
  }

  /** A text has ended. `seconds` since its request came. */
  ended(reason: FinishReason | 'tool_calls' | 'content_filter', usage: Usage, seconds: number): void {
    this.success.add(1, { finished_reason: reason === 'aborted' ? 'abort' : reason })
    this.request.observe(seconds)
    this.read(usage.promptTokens, usage.cachedTokens)
    this.generation.add(usage.completionTokens)
  }

  /** Tokens were read and none written, as for vectors. */
  read(promptTokens: number, cachedTokens?: number): void {
    this.prompt.add(promptTokens)
    this.cacheQueries.add(promptTokens)
    this.cacheHits.add(cachedTokens ?? 0)
  }

  /** An answer went out. `route`: its pattern, such as `/v1/models/:id`; paths as they came would be without number. */
  answered(method: string, route: string, status: number): void {
    const labels = { method: METHODS.has(method) ? method : 'other', route, status: String(status) }
    this.http.add(1, labels)
    if (status >= 400) this.failed(status)
  }

  /** An error that no status tells: an event of a stream. */
  failed(status: number): void {
    this.errors.add(1, { status: String(status) })
  }

  /** Looks how late timers are, until the function that it returns is called. */
  watchLag(): () => void {
    let due = performance.now() + LAG_EVERY_MS
    const look = (): void => {
      const now = performance.now()
      this.lag.observe(Math.max(0, now - due) / 1000)
      due = now + LAG_EVERY_MS
    }
    clearInterval(this.timer)
    this.timer = setInterval(look, LAG_EVERY_MS).unref()
    return () => clearInterval(this.timer)
  }

  toResponse(): Response {
    return new Response(this.exposition.toString(), { headers: { 'content-type': Exposition.contentType } })
  }
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** The names that clients of Prometheus give them in every language. */
function processGauges(all: Exposition): void {
  const start = Date.now() / 1000 - process.uptime()
  all.gauge('process_resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss())
  all.gauge('nodejs_heap_size_used_bytes', 'Memory of JavaScript in use.', () => process.memoryUsage().heapUsed)
  all.gauge(
    'nodejs_external_memory_bytes',
    'Memory that JavaScript holds elsewhere.',
    () => process.memoryUsage().external,
  )
  all.gauge('process_start_time_seconds', 'When the process began, in seconds since 1970.', () => start)
}
