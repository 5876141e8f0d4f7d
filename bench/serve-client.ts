// Clients of a server that stream completions: `tsx bench/serve-client.ts URL VOCABULARY CLIENTS KIND ROUNDS --interactive` sends as many requests at a time as
// there are clients, ROUNDS each, and prints one JSON object per line of standard input. Prompts are token ids that no request had before,
// but for the beginning of `shared` ones.
import { Agent, type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'

/** Tokens of a prompt, of its beginning that all requests have, and of the answer. */
export const KINDS = {
  short: { prompt: 16, shared: 0, tokens: 64 },
  long: { prompt: 512, shared: 0, tokens: 32 },
  shared: { prompt: 400, shared: 384, tokens: 32 },
} as const

export type Kind = keyof typeof KINDS

interface Answer {
  firstMs: number
  tokens: number
  ids: number[]
}

const agent = new Agent({ keepAlive: true })
let state = 1

/** A number below `most`; each contestant draws the same ones. */
function draw(most: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * most)
}

/** Streams one completion. */
export async function complete(url: string, prompt: readonly number[], tokens: number): Promise<Answer> {
  const begun = performance.now()
  const options = { method: 'POST', agent, headers: { 'content-type': 'application/json' } }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(`${url}/v1/completions`, options, resolve)
    sent.on('error', reject)
    const asked = { prompt, max_tokens: tokens, temperature: 0, ignore_eos: true, return_token_ids: true }
    sent.end(JSON.stringify({ ...asked, stream: true, stream_options: { include_usage: true } }))
  })
  let [firstMs, made] = [0, 0]
  const ids: number[] = []
  for await (const line of createInterface({ input: response })) {
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${line}`)
    if (!line.startsWith('data: {')) continue
    const chunk = JSON.parse(line.slice('data: '.length)) as {
      choices?: { token_ids?: number[] }[]
      usage?: { completion_tokens: number } | null
      error?: unknown
    }
    if (chunk.error !== undefined) throw new Error(line)
    const more = chunk.choices?.[0]?.token_ids ?? []
    if (ids.length === 0 && more.length > 0) firstMs = performance.now() - begun
    ids.push(...more)
    made = chunk.usage?.completion_tokens ?? made
  }
  if (made !== tokens || ids.length !== tokens)
    throw new Error(`expected ${tokens} tokens, got ${made} and ${ids.length} ids`)
  return { firstMs, tokens: made, ids }
}

/** A prompt of one kind: the shared beginning is that of every contestant. */
export function promptOf(kind: Kind, vocabulary: number): number[] {
  const { prompt, shared } = KINDS[kind]
  return Array.from({ length: prompt }, (_, i) => (i < shared ? (i * 37 + 11) % vocabulary : draw(vocabulary)))
}

async function block(url: string, vocabulary: number, clients: number, kind: Kind, rounds: number): Promise<object> {
  const begun = performance.now()
  const answers: Answer[] = []
  const client = async (): Promise<void> => {
    for (let i = 0; i < rounds; i++) answers.push(await complete(url, promptOf(kind, vocabulary), KINDS[kind].tokens))
  }
  await Promise.all(Array.from({ length: clients }, client))
  const seconds = (performance.now() - begun) / 1000
  const waits = answers.map(({ firstMs }) => firstMs).sort((a, b) => a - b)
  const quantile = (share: number): number => waits[Math.min(waits.length - 1, Math.floor(share * waits.length))]!
  return {
    tokens_per_second: answers.reduce((sum, { tokens }) => sum + tokens, 0) / seconds,
    requests_per_second: answers.length / seconds,
    first_token_ms_p50: quantile(0.5),
    first_token_ms_p95: quantile(0.95),
  }
}

if (process.argv.includes('--interactive')) {
  const [url = '', vocabulary, clients, kind, rounds] = process.argv.slice(2)
  const one = (): Promise<object> => block(url, Number(vocabulary), Number(clients), kind as Kind, Number(rounds))
  console.log(JSON.stringify({ ready: true }))
  for await (const _ of createInterface({ input: process.stdin })) console.log(JSON.stringify(await one()))
  agent.destroy()
}
