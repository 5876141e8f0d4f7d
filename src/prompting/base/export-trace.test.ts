import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ExampleReader } from '../../data/rows/read-examples.ts'
import { UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { agent, tool } from '../execute/agent.ts'
import { guard } from '../execute/guard.ts'
import { ServiceError } from './dialect.ts'
import { exportTrace } from './export-trace.ts'
import { localModel } from './local-model.ts'
import { type OtlpAttribute, type OtlpSpan, sendSpans } from './otlp.ts'
import { dryRun, program, trace } from './trace.ts'
import { readTrace, saveLines } from './trace-file.ts'
import { traceLines } from './trace-lines.ts'

const folder = mkdtempSync(join(tmpdir(), 'export-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A typed answer that is given at the third time, an agent with a tool, and a plain answer. */
async function made(file: string) {
  const numbers = ['1', '3', '4']
  const lm = fakeLm({
    reply: (request) => {
      const text = JSON.stringify(request)
      if (text.includes('warm'))
        return text.includes('21 degrees')
          ? 'It is 21.'
          : '<tool_call>{"name": "weather", "arguments": {"city": "Aarhus"}}</tool_call>'
      return text.includes('number') ? numbers.shift()! : 'Hi.'
    },
    info: { name: 'demo', revision: 'abc' },
  })
  const weather = tool({
    name: 'weather',
    description: 'The weather.',
    input: z.object({ city: z.string() }),
    run: () => '21 degrees',
  })
  const model = localModel(lm, { cost: { input: 1, output: 2 } })
  const even = z.number().refine((n) => n % 2 === 0, 'must be even')
  const run = program('main', async () => {
    await model.ask('Name an even number.', { as: even, system: 'Be exact.', temperature: 1, seed: 9 })
    await agent(model, { tools: [weather], budget: { steps: 3 } }).ask('How warm is it?')
    await guard(model, {}).ask('Greet.')
    await model.logprobs('Which?', ['a'])
  })
  await trace(run, { file })
  return readTrace(file)
}

const read = async (file: string, purpose: 'supervised' | 'preference') => {
  const reader = new ExampleReader(file, { purpose })
  const examples = []
  for await (const { example } of reader.examples()) examples.push(example)
  return { examples, notices: reader.notices() }
}

describe('exportTrace', async () => {
  const traced = await made(join(folder, 'trace.jsonl'))
  it('gives rows that the reader of stage sft takes: what was asked at first, what was taken at last', async () => {
    const file = join(folder, 'sft.jsonl')
    saveLines(file, 'file', exportTrace(traced, 'sft'))
    const { examples, notices } = await read(file, 'supervised')
    expect(notices).toEqual([])
    const [number, warm, hi, ...rest] = examples
    expect(rest).toEqual([])
    const tools = [{ type: 'function', function: expect.objectContaining({ name: 'weather' }) as unknown }]
    const call = { function: { name: 'weather', arguments: { city: 'Aarhus' } } }
    expect(number).toEqual({
      kind: 'conversation',
      messages: [
        { role: 'system', content: 'Be exact.' },
        { role: 'user', content: 'Name an even number.' },
        { role: 'assistant', content: '4' },
      ],
    })
    expect(warm).toMatchObject({
      kind: 'conversation',
      tools,
      messages: [
        { role: 'user', content: 'How warm is it?' },
        { role: 'assistant', content: '', tool_calls: [call] },
        { role: 'tool', name: 'weather', content: '21 degrees' },
        { role: 'assistant', content: 'It is 21.' },
      ],
    })
    expect(hi).toMatchObject({ messages: [{ content: 'Greet.' }, { content: 'Hi.' }] })
  })
  it('gives pairs that the reader of stage dpo takes: the answer that was taken against each that was refused', async () => {
    const file = join(folder, 'dpo.jsonl')
    saveLines(file, 'file', exportTrace(traced, 'dpo'))
    const { examples, notices } = await read(file, 'preference')
    expect(notices).toEqual([])
    const pair = (rejected: string) => ({
      kind: 'preference',
      prompt: [
        { role: 'system', content: 'Be exact.' },
        { role: 'user', content: 'Name an even number.' },
      ],
      chosen: [{ role: 'assistant', content: '4' }],
      rejected: [{ role: 'assistant', content: rejected }],
    })
    expect(examples).toEqual([pair('1'), pair('3')])
  })
  it('gives nothing of what was made up', async () => {
    const dry = await dryRun(() => localModel(fakeLm()).ask('x'))
    for (const form of ['sft', 'dpo'] as const) expect(() => exportTrace(dry, form as 'sft')).toThrow(UsageError)
    expect(() => exportTrace(traced, 'csv' as 'sft')).toThrow('expected sft, dpo or otlp, got "csv"')
  })
  it('gives spans as the protocol has them, with the names of the conventions', () => {
    const otlp = exportTrace(traced, 'otlp', { service: 'demo' })
    const validate = new Ajv({ strict: false }).compile(OTLP)
    expect(validate(otlp), JSON.stringify(validate.errors)).toBe(true)
    const { spans } = otlp.resourceSpans[0]!.scopeSpans[0]!
    const [root, first] = spans as [OtlpSpan, OtlpSpan]
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length)
    expect(Object.fromEntries(first.attributes.map(({ key, value }) => [key, value]))).toMatchObject({
      'gen_ai.operation.name': { stringValue: 'chat' },
      'gen_ai.provider.name': { stringValue: 'anneal' },
      'gen_ai.request.model': { stringValue: 'demo' },
      'gen_ai.request.temperature': { doubleValue: 1 },
      'gen_ai.request.seed': { intValue: '9' },
      'gen_ai.output.type': { stringValue: 'json' },
      'gen_ai.response.model': { stringValue: 'demo@abc' },
      'gen_ai.response.finish_reasons': { arrayValue: { values: [{ stringValue: 'stop' }] } },
      'gen_ai.usage.input_tokens': { intValue: String(traced.calls[0]!.ids!.length) },
      'gen_ai.usage.output_tokens': { intValue: '2' },
      'anneal.refused': { stringValue: 'must be even' },
      'anneal.program': { arrayValue: { values: [{ stringValue: 'main' }] } },
    })
    expect(first).toMatchObject({ name: 'chat demo', kind: 1, parentSpanId: root.spanId, status: {} })
    expect(Number(first.endTimeUnixNano.slice(0, -6)) - traced.began).toBeCloseTo(
      traced.calls[0]!.at + traced.calls[0]!.took,
      -1,
    )
    // A wrapper's span holds its model's, and counts no tokens a second time.
    const wrapper = spans.find(({ name }) => name.startsWith('wrapper'))!
    const inner = spans.find(({ parentSpanId }) => parentSpanId === wrapper.spanId)!
    const has = (attributes: OtlpAttribute[], key: string) => attributes.some((one) => one.key === key)
    expect([wrapper, inner].map(({ attributes }) => has(attributes, 'gen_ai.usage.input_tokens'))).toEqual([
      false,
      true,
    ])
    // Texts are told only where they are asked for.
    expect(JSON.stringify(otlp)).not.toContain('Aarhus')
    const open = JSON.stringify(exportTrace(traced, 'otlp', { content: true }))
    expect(open).toContain('gen_ai.input.messages')
    expect(open).toContain('Aarhus')
  })
  it('posts spans to a collector, and tells what it refuses', async () => {
    const got: { url?: string | undefined; type?: string | undefined; body: string }[] = []
    const collector = createServer(async (request, response) => {
      let body = ''
      for await (const part of request) body += part
      got.push({ url: request.url, type: request.headers['content-type'], body })
      const isRefused = got.length === 2
      if (got.length === 3) response.statusCode = 503
      response.end(isRefused ? '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}' : '{}')
    })
    await new Promise<void>((resolve) => void collector.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
    const otlp = exportTrace(traced, 'otlp')
    try {
      await sendSpans(url, otlp)
      expect(got[0]).toMatchObject({ url: '/v1/traces', type: 'application/json', body: JSON.stringify(otlp) })
      await expect(sendSpans(`${url}/v1/traces`, otlp)).rejects.toThrow(/got 2 refused .*too old/)
      await expect(sendSpans(url, otlp)).rejects.toThrow(/got HTTP 503/)
    } finally {
      collector.close()
    }
    await expect(sendSpans(url, otlp)).rejects.toThrow(ServiceError)
  })
  it('is told to people as a tree', () => {
    const lines = traceLines(traced).map((line) =>
      line.replaceAll(/\d+\.\d{3} s/g, 'T').replaceAll(/seed \d+/g, 'seed S'),
    )
    expect(lines.slice(0, 5)).toEqual([
      'main',
      `  0 demo, ${traced.calls[0]!.ids!.length} + 2 tokens, T, stop, seed S, held to json_schema, cost ${(traced.calls[0]!.ids!.length + 4) / 1e6}`,
      '      < user: Name an even number.',
      '      > 1',
      '      ! must be even',
    ])
    expect(lines).toContain('      > weather({"city": "Aarhus"})')
    expect(lines.some((line) => /^ {2}5 demo \(wrapper\), T, stop$/.test(line))).toBe(true)
    expect(lines.some((line) => /^ {4}6 demo, /.test(line))).toBe(true)
    expect(lines.at(-1)).toMatch(/^7 calls of models, \d+ \+ \d+ tokens, cost /)
  })
})

/** ExportTraceServiceRequest as opentelemetry-proto writes it in JSON: ids in hexadecimal, 64-bit numbers as texts, no other fields. */
const value = {
  type: 'object',
  minProperties: 1,
  maxProperties: 1,
  additionalProperties: false,
  properties: {
    stringValue: { type: 'string' },
    boolValue: { type: 'boolean' },
    intValue: { type: 'string', pattern: '^-?\\d+$' },
    doubleValue: { type: 'number' },
    arrayValue: {
      type: 'object',
      additionalProperties: false,
      properties: { values: { type: 'array', items: { $ref: '#/definitions/value' } } },
    },
  },
}
const object = (properties: Record<string, unknown>, optional: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
})
const list = (items: unknown) => ({ type: 'array', items })
const attributes = list(object({ key: { type: 'string' }, value: { $ref: '#/definitions/value' } }))
const time = { type: 'string', pattern: '^\\d{19}$' }
const OTLP = {
  definitions: { value },
  ...object({
    resourceSpans: list(
      object({
        resource: object({ attributes }),
        scopeSpans: list(
          object({
            scope: object({ name: { type: 'string' }, version: { type: 'string' } }),
            spans: list(
              object(
                {
                  traceId: { type: 'string', pattern: '^[0-9a-f]{32}$' },
                  spanId: { type: 'string', pattern: '^[0-9a-f]{16}$' },
                  parentSpanId: { type: 'string', pattern: '^[0-9a-f]{16}$' },
                  name: { type: 'string' },
                  kind: { type: 'integer', minimum: 0, maximum: 5 },
                  startTimeUnixNano: time,
                  endTimeUnixNano: time,
                  attributes,
                  events: list(object({ timeUnixNano: time, name: { type: 'string' }, attributes })),
                  status: object({ code: { type: 'integer' }, message: { type: 'string' } }, ['code', 'message']),
                },
                ['parentSpanId'],
              ),
            ),
          }),
        ),
      }),
    ),
  }),
}
