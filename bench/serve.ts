// `tsx bench/serve.ts [--shape 22M] [--clients 1,2,4,8,16,32] [--prompts short,long,shared] [--rounds 2] [--threads 2] [--out FILE]`: `anneal serve` over
// HTTP against llama.cpp's batching in a bare HTTP handler (peers/llama_cpp_server.mjs) on the same f32 GGUF file of random weights: tokens and
// requests a second, and the time to the first token. Blocks of requests to the two go in turn; the idle one computes nothing. Without
// BENCH_LLAMA_CPP ours alone is measured. `--memory 10000` instead: what the server's process takes over so many short requests.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { type Command, duel, here, pairCount, type Row, run, tsx } from './contest.ts'
import { complete, KINDS, type Kind, promptOf } from './serve-client.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: '22M' },
    clients: { type: 'string', default: '1,2,4,8,16,32' },
    prompts: { type: 'string', default: 'short,long,shared' },
    rounds: { type: 'string', default: '2' },
    threads: { type: 'string', default: '2' },
    memory: { type: 'string' },
    out: { type: 'string' },
  },
})
const VOCABULARIES: Readonly<Record<string, number>> = { '1M': 512, '22M': 8192, '135M': 49152 }
/** Prompt and answer of the longest kind, in whole blocks of either. */
const CONTEXT = 640

interface Started {
  url: string
  process: ChildProcess
}

/** Starts a server and waits for the line that tells where it is. */
async function start([program, ...list]: Command): Promise<Started> {
  const child = spawn(program, list, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  for await (const line of lines) {
    const { url } = (line.startsWith('{') ? JSON.parse(line) : {}) as { url?: string }
    if (url !== undefined) return { url, process: child }
  }
  throw new Error(`${program} ${list.join(' ')} ended before it served`)
}

async function stop(started: Started | undefined): Promise<void> {
  if (started === undefined) return
  const ended = once(started.process, 'exit')
  started.process.kill('SIGTERM')
  await ended
}

/** Resident bytes of a process. */
function residentBytes({ process: { pid } }: Started): number {
  const [, pages = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
  return Number(pages) * 4096
}

/** Resident memory over many short requests of 16 clients. */
async function memory(server: Started, vocabulary: number, count: number): Promise<object> {
  const samples: Record<number, number> = {}
  let done = 0
  const client = async (): Promise<void> => {
    while (done < count) {
      done++
      if (done % Math.ceil(count / 20) === 0) samples[done] = Math.round(residentBytes(server) / 2 ** 20)
      await complete(server.url, promptOf('short', vocabulary), 4)
    }
  }
  await Promise.all(Array.from({ length: 16 }, client))
  return { name: `resident MiB over ${count} requests`, samples, end: Math.round(residentBytes(server) / 2 ** 20) }
}

/** How many of the first tokens both servers make alike: with random weights a tie may fall otherwise. */
async function sameTokens(ours: Started, peer: Started, vocabulary: number): Promise<object> {
  const prompt = promptOf('short', vocabulary)
  const [a, b] = [await complete(ours.url, prompt, 16), await complete(peer.url, prompt, 16)]
  const differs = a.ids.findIndex((id, i) => id !== b.ids[i])
  return { name: 'first tokens that are the same', of: 16, same: differs === -1 ? 16 : differs }
}

async function main(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'anneal-serve-'))
  const { shape, rounds, threads } = values
  const vocabulary = VOCABULARIES[shape]!
  const [directory, file] = [join(scratch, shape), join(scratch, `${shape}.gguf`)]
  run(tsx('make-model.ts', shape, directory))
  run(tsx('make-gguf.ts', directory, file, 'f32'))
  const clients = values.clients.split(',').map(Number)
  const most = Math.max(16, ...clients)
  const serving = ['--model', file, '--port', '0', '--json', '--threads', threads, '--log', join(scratch, 'log.jsonl')]
  const ours = await start(tsx('../src/cli/main.ts', 'serve', ...serving, '--batch-size', `${most}`))
  const rows: object[] = []
  const take = (row: object): void => {
    rows.push(row)
    console.log(JSON.stringify(row))
  }
  let peer: Started | undefined
  try {
    if (values.memory !== undefined) take(await memory(ours, vocabulary, Number(values.memory)))
    else {
      const handler = join(here, 'peers/llama_cpp_server.mjs')
      if (process.env.BENCH_LLAMA_CPP !== undefined)
        peer = await start([process.execPath, handler, file, `${most}`, `${CONTEXT}`, threads])
      if (peer !== undefined) take(await sameTokens(ours, peer, vocabulary))
      for (const kind of values.prompts.split(',') as Kind[])
        for (const count of clients) {
          const client = ({ url }: Started): Command =>
            tsx('serve-client.ts', url, `${vocabulary}`, `${count}`, kind, rounds)
          const { prompt, shared, tokens } = KINDS[kind]
          const row: Row = await duel({
            name: `serving ${shape} f32, ${count} clients, prompts of ${prompt} tokens (${shared} shared), ${tokens} new, against llama.cpp's batching in a bare handler`,
            ours: client(ours),
            peer: peer && client(peer),
            figure: 'tokens_per_second',
            also: ['requests_per_second', 'first_token_ms_p50', 'first_token_ms_p95'],
            goal: '≥ 1',
            isMet: (ratio) => ratio >= 1,
          })
          take({ kind, clients: count, ...row })
        }
    }
  } finally {
    await stop(ours)
    await stop(peer)
    rmSync(scratch, { recursive: true, force: true })
  }
  if (values.out === undefined) return
  const machine = {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
  }
  const date = new Date().toISOString().slice(0, 10)
  writeFileSync(
    values.out,
    `${JSON.stringify({ date, machine, pairs: pairCount, shape, rounds: Number(rounds), rows }, null, 2)}\n`,
  )
}

await main()
