// `tsx bench/serve-soak.ts MODEL [--requests 10000] [--clients 12] [--out FILE]`: `anneal serve` under clients that behave in all ways: streams,
// several texts, structures, long prompts, mistakes, hostile structures, and one of six goes away in the middle. What the server's process takes
// at the start, after 1,000 and at the end, and whether anything is left of them: requests, texts, blocks of the cache.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    clients: { type: 'string', default: '12' },
    out: { type: 'string' },
  },
  allowPositionals: true,
})
const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

/** The same for the same number. */
function bodyOf(i: number): object {
  const body = { prompt: `${i} Once upon a time`, max_tokens: 4 + (i % 13), seed: i, stream: i % 2 === 0 }
  switch (i % 11) {
    case 1:
      return { ...body, n: 1 + (i % 4), logprobs: 2 }
    case 2:
      return { ...body, structured_outputs: { json: { properties: { [`a${i % 97}`]: { type: 'integer' } } } } }
    case 3:
      return { ...body, structured_outputs: { regex: `[a-z]{1,${1 + (i % 40)}}` } }
    case 4:
      return { ...body, prompt: `${i} and then `.repeat(20), echo: true, logprobs: 1 }
    case 5:
      return { ...body, temperature: -1 }
    case 6:
      return { ...body, structured_outputs: { regex: '(a+'.repeat(i % 50) } }
    case 7:
      return { ...body, stop: ['the', ' a'], logit_bias: { [i % 50]: 2 } }
    default:
      return body
  }
}

/** Numbers of `/metrics` by name, without labels. */
async function metricsOf(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return new Map(
    [...text.matchAll(/^([\w:]+)(?:\{[^\n]*\})? (\S+)$/gm)].map(([, name, value]) => [name!, Number(value)]),
  )
}

const words = [
  '--import',
  'tsx',
  main,
  'serve',
  '--model',
  positionals[0]!,
  '--port',
  '0',
  '--json',
  '--log',
  '/dev/null',
]
const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
let url = ''
for await (const line of createInterface({ input: child.stdout })) {
  if (!line.includes('"serving"')) continue
  url = (JSON.parse(line) as { url: string }).url
  break
}
const statuses: Record<string, number> = {}
async function one(i: number): Promise<void> {
  const gone = new AbortController()
  const leaves = i % 6 === 5
  if (leaves) setTimeout(() => gone.abort(), i % 37)
  try {
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify(bodyOf(i)),
      headers: { 'content-type': 'application/json' },
      signal: gone.signal,
    })
    await response.text()
    statuses[response.status] = (statuses[response.status] ?? 0) + 1
  } catch (error) {
    if (!gone.signal.aborted) throw error
    statuses.left = (statuses.left ?? 0) + 1
  }
}
const megabytes = async (): Promise<number> =>
  Math.round((await metricsOf(url)).get('process_resident_memory_bytes')! / 1e6)
let next = 0
async function upTo(count: number): Promise<number> {
  const client = async (): Promise<void> => {
    while (next < count) await one(next++)
  }
  await Promise.all(Array.from({ length: Number(values.clients) }, client))
  return megabytes()
}
const begun = performance.now()
const resident: Record<string, number> = { start: await megabytes() }
const last = Number(values.requests)
for (const count of [...[1000, 2500, 5000].filter((one) => one < last), last]) {
  resident[`after ${count}`] = await upTo(count)
  console.error(`after ${count}: ${resident[`after ${count}`]} MB, ${Math.round((performance.now() - begun) / 1000)} s`)
}
await pause(500)
const after = await metricsOf(url)
const left = ['num_requests_running', 'num_requests_waiting', 'kv_cache_usage_perc'].map((name) =>
  after.get(`anneal:${name}`),
)
const seconds = (performance.now() - begun) / 1000
child.kill('SIGTERM')
const [code] = (await once(child, 'exit')) as [number]
const result = {
  requests: Number(values.requests),
  seconds: Math.round(seconds),
  residentMB: resident,
  statuses,
  left,
  exitCode: code,
}
console.log(JSON.stringify(result, null, 2))
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`)
