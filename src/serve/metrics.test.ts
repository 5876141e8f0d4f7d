import fc from 'fast-check'
import prom from 'prom-client'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { UsageError } from '../errors.ts'
import { Exposition } from './exposition.ts'
import { Metrics } from './metrics.ts'

afterEach(() => void vi.useRealTimers())

interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`
const VALUE = String.raw`[+-]Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?`
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (${VALUE})$`)

/** Reads the text format and holds it to its rules. */
function parse(text: string): { samples: Sample[]; types: Map<string, string> } {
  expect(text.endsWith('\n')).toBe(true)
  const types = new Map<string, string>()
  const helped = new Set<string>()
  const samples: Sample[] = []
  const seen = new Set<string>()
  let family = ''
  const families = new Set<string>()
  const enter = (name: string): void => {
    if (name === family) return
    expect(families.has(name), `${name} in two groups`).toBe(false)
    families.add(name)
    family = name
  }
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.*)$`).exec(line)
    if (comment) {
      const [, what, name, rest] = comment as unknown as [string, string, string, string]
      enter(name)
      if (what === 'HELP') {
        expect(helped.has(name)).toBe(false)
        helped.add(name)
        expect(rest.replaceAll(/\\[\\n]/g, '')).not.toContain('\\')
      } else {
        expect(rest).toMatch(/^(counter|gauge|histogram)$/)
        expect(types.has(name)).toBe(false)
        types.set(name, rest)
      }
      continue
    }
    const match = SAMPLE.exec(line)
    expect(match, line).not.toBeNull()
    const [, name = '', labelText = '', value = ''] = match!
    const base = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')
    expect(base, 'a sample before its type').toBe(family)
    expect(types.has(base)).toBe(true)
    expect(types.get(base) === 'histogram').toBe(base !== name)
    const labels = Object.fromEntries(
      [...labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', raw = '']) => [
        label,
        raw.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped)),
      ]),
    )
    const key = name + JSON.stringify(Object.entries(labels).sort())
    expect(seen.has(key), `${line} twice`).toBe(false)
    seen.add(key)
    samples.push({ name, labels, value: value.endsWith('Inf') ? Number(`${value}inity`) : Number(value) })
  }
  for (const [name, type] of types) {
    if (type !== 'histogram') continue
    const buckets = samples.filter((one) => one.name === `${name}_bucket`)
    const bounds = buckets.map((one) => Number(one.labels.le!.replace('Inf', 'Infinity')))
    expect(bounds).toEqual(bounds.toSorted((a, b) => a - b))
    expect(bounds.at(-1)).toBe(Number.POSITIVE_INFINITY)
    const counts = buckets.map((one) => one.value)
    expect(counts).toEqual(counts.toSorted((a, b) => a - b))
    expect(samples.find((one) => one.name === `${name}_count`)!.value).toBe(counts.at(-1))
  }
  return { samples, types }
}

const valueAt = (text: string, name: string, labels: Record<string, string> = {}): number | undefined =>
  parse(text).samples.find(
    (one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value),
  )?.value

describe('Exposition', () => {
  it('writes any labels and numbers so that they can be read again', () => {
    const label = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', ',', '}', '\ud800') }),
    )
    const property = fc.property(
      fc.array(fc.tuple(label, fc.double({ min: 0, noNaN: true })), { minLength: 1 }),
      (adds) => {
        const all = new Exposition({ model_name: 'a"b' })
        const counter = all.counter('anneal:x_total', 'a\\b\nc', [])
        const sums = new Map<string, number>()
        for (const [route, value] of adds) {
          counter.add(value, { route })
          sums.set(route.toWellFormed(), (sums.get(route.toWellFormed()) ?? 0) + value)
        }
        const { samples } = parse(String(all))
        expect(samples).toEqual(
          [...sums].map(([route, value]) => ({ name: 'anneal:x_total', labels: { model_name: 'a"b', route }, value })),
        )
      },
    )
    fc.assert(property, { numRuns: 50 })
  })

  it('counts into buckets as prom-client does', async () => {
    const buckets = [0.1, 0.5, 1, 5]
    const property = fc.asyncProperty(
      fc.array(fc.constantFrom(0, 0.1, 0.10001, 0.5, 0.7, 1, 3, 5, 5.1, 1e9), { minLength: 1 }),
      async (values) => {
        const registry = new prom.Registry()
        registry.setDefaultLabels({ model_name: 'm' })
        const theirs = new prom.Histogram({ name: 'a:h', help: 'h', buckets, registers: [registry] })
        const all = new Exposition({ model_name: 'm' })
        const ours = all.histogram('a:h', 'h', buckets)
        theirs.reset()
        for (const value of values) {
          theirs.observe(value)
          ours.observe(value)
        }
        const inOrder = (text: string) => parse(text).samples.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
        const key = ({ name, labels }: Sample): string => `${name} ${labels.le}`
        expect(inOrder(String(all))).toEqual(inOrder(await registry.metrics()))
      },
    )
    await fc.assert(property, { numRuns: 50 })
  })

  it('reads gauges when it is read, and leaves out what there is not', () => {
    let value: number | undefined = 1
    const all = new Exposition()
    all.gauge('a', 'of a', () => value)
    expect(String(all)).toBe('# HELP a of a\n# TYPE a gauge\na 1\n')
    value = Number.POSITIVE_INFINITY
    expect(String(all)).toContain('a +Inf\n')
    value = undefined
    expect(String(all)).toBe('')
  })

  it('refuses names that the format does not have', () => {
    const all = new Exposition()
    all.counter('a', '')
    for (const wrong of ['a', '', 'a-b', '1a', 'a b'])
      expect(() => all.gauge(wrong, '', () => 1), wrong).toThrow(UsageError)
    expect(() => new Exposition({ le: 'x' })).toThrow(UsageError)
    expect(() => new Exposition({ __a: 'x' })).toThrow(UsageError)
    expect(() => all.counter('b', '').add(1, { 'a-b': 'x' })).toThrow(UsageError)
    expect(() => all.counter('c', '').add(-1)).toThrow(UsageError)
    expect(() => all.histogram('h', '', [1, 1])).toThrow(UsageError)
  })
})

describe('Metrics', () => {
  const make = () => {
    const load = { running: 3, waiting: 2, usedBlocks: 5, blocks: 20 }
    const queue = { running: 7, waiting: 4 }
    return new Metrics({ modelName: 'tiny "model"', load: () => load, queue })
  }

  it('has the names of vLLM, all of them from the beginning', () => {
    const { types } = parse(String(make().exposition))
    const expected = {
      num_requests_running: 'gauge',
      num_requests_waiting: 'gauge',
      kv_cache_usage_perc: 'gauge',
      time_to_first_token_seconds: 'histogram',
      inter_token_latency_seconds: 'histogram',
      e2e_request_latency_seconds: 'histogram',
      request_queue_time_seconds: 'histogram',
      prompt_tokens_total: 'counter',
      generation_tokens_total: 'counter',
      prefix_cache_queries_total: 'counter',
      prefix_cache_hits_total: 'counter',
      request_success_total: 'counter',
      engine_lag_seconds: 'histogram',
    }
    for (const [name, type] of Object.entries(expected)) expect(types.get(`anneal:${name}`), name).toBe(type)
    expect(valueAt(String(make().exposition), 'anneal:prompt_tokens_total')).toBe(0)
  })

  it('tells how busy the model and its queue are', () => {
    const text = String(make().exposition)
    const labels = { model_name: 'tiny "model"' }
    expect(valueAt(text, 'anneal:num_requests_running', labels)).toBe(3)
    expect(valueAt(text, 'anneal:num_requests_waiting', labels)).toBe(6)
    expect(valueAt(text, 'anneal:kv_cache_usage_perc', labels)).toBe(0.25)
    const alone = String(new Metrics({ modelName: 'm', queue: { running: 7, waiting: 4 } }).exposition)
    expect(valueAt(alone, 'anneal:num_requests_running')).toBe(7)
    expect(valueAt(alone, 'anneal:num_requests_waiting')).toBe(4)
    expect(valueAt(alone, 'anneal:kv_cache_usage_perc')).toBeUndefined()
  })

  it('counts texts, tokens and times', () => {
    const metrics = make()
    metrics.queued(0.4)
    metrics.first(0.05)
    metrics.next(0.4, 4)
    metrics.next(3, 0)
    metrics.ended('length', { promptTokens: 10, completionTokens: 5, cachedTokens: 8 }, 1.2)
    metrics.ended('aborted', { promptTokens: 1, completionTokens: 0 }, 0.1)
    metrics.read(7)
    const text = String(metrics.exposition)
    const value = (name: string, labels = {}) => valueAt(text, `anneal:${name}`, labels)
    expect(value('request_queue_time_seconds_bucket', { le: '0.5' })).toBe(1)
    expect(value('time_to_first_token_seconds_bucket', { le: '0.04' })).toBe(0)
    expect(value('time_to_first_token_seconds_bucket', { le: '0.06' })).toBe(1)
    expect(value('inter_token_latency_seconds_count')).toBe(4)
    expect(value('inter_token_latency_seconds_sum')).toBeCloseTo(0.4)
    expect(value('e2e_request_latency_seconds_sum')).toBeCloseTo(1.3)
    expect(value('prompt_tokens_total')).toBe(18)
    expect(value('generation_tokens_total')).toBe(5)
    expect([value('prefix_cache_queries_total'), value('prefix_cache_hits_total')]).toEqual([18, 8])
    const reasons = ['stop', 'length', 'abort'].map((reason) =>
      value('request_success_total', { finished_reason: reason }),
    )
    expect(reasons).toEqual([0, 1, 1])
  })

  it('counts answers and errors', () => {
    const metrics = make()
    metrics.answered('POST', '/v1/chat/completions', 200)
    metrics.answered('POST', '/v1/chat/completions', 429)
    metrics.answered('BREW', 'none', 404)
    metrics.failed(500)
    const text = String(metrics.exposition)
    const route = '/v1/chat/completions'
    expect(valueAt(text, 'anneal:http_requests_total', { method: 'POST', route, status: '429' })).toBe(1)
    expect(valueAt(text, 'anneal:http_requests_total', { method: 'other', route: 'none' })).toBe(1)
    expect(
      ['429', '404', '500', '200'].map((status) => valueAt(text, 'anneal:request_errors_total', { status })),
    ).toEqual([1, 1, 1, undefined])
  })

  it('notices a thread that is held, and lets the process end', () => {
    vi.useFakeTimers()
    const metrics = make()
    const stop = metrics.watchLag()
    vi.advanceTimersByTime(500)
    const over = (): number => {
      const text = String(metrics.exposition)
      const below = valueAt(text, 'anneal:engine_lag_seconds_bucket', { le: '0.1' })!
      return valueAt(text, 'anneal:engine_lag_seconds_count')! - below
    }
    expect(valueAt(String(metrics.exposition), 'anneal:engine_lag_seconds_count')).toBe(10)
    expect(over()).toBe(0)
    // A step of 400 ms, in which no timer fires.
    const held = performance.now() + 400
    vi.spyOn(performance, 'now').mockReturnValue(held)
    vi.advanceTimersByTime(50)
    expect(over()).toBe(1)
    vi.restoreAllMocks()
    stop()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('answers Prometheus, with memory', async () => {
    const response = make().toResponse()
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(valueAt(await response.text(), 'process_resident_memory_bytes')).toBeGreaterThan(1e7)
  })
})
