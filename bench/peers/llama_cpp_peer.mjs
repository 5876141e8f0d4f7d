// llama.cpp through node-llama-cpp: llama_cpp_peer.mjs MODEL.gguf IDS.json TOKENS THREADS --interactive; greedy continuations of all
// prompts in the file together (a slot each) and one JSON object per line of standard input, as bench/ours.ts decode.
// node-llama-cpp is not a dependency (its packages for all devices take 725 MB): install it beside and set BENCH_LLAMA_CPP to its folder.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const entry = createRequire(join(process.env.BENCH_LLAMA_CPP ?? process.cwd(), 'package.json')).resolve(
  'node-llama-cpp',
)
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(entry).href)
const [file, idsFile, count, threads] = process.argv.slice(2)
const prompts = JSON.parse(readFileSync(idsFile, 'utf8'))
const read = prompts.reduce((sum, { length }) => sum + length, 0)
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error, maxThreads: Number(threads) })
const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 })
const longest = Math.max(...prompts.map(({ length }) => length))
const context = await model.createContext({
  contextSize: Math.max(512, longest + Number(count) + 8),
  batchSize: 512,
  threads: Number(threads),
  sequences: prompts.length,
})
const sequences = prompts.map(() => context.getSequence())

async function go(sequence, ids) {
  await sequence.clearHistory()
  const tokens = []
  for await (const token of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
    tokens.push(token)
    if (tokens.length === Number(count)) break
  }
  return tokens
}

async function block() {
  const begun = performance.now()
  const all = await Promise.all(prompts.map((ids, i) => go(sequences[i], ids)))
  const seconds = (performance.now() - begun) / 1000
  return {
    engine: 'llama.cpp',
    tokens_per_second: (Number(count) * prompts.length) / seconds,
    prompt_tokens_per_second: read / seconds,
    token_ids: all[0],
    resident_bytes: model.size,
  }
}

await block() // warm-up
console.log(JSON.stringify({ ready: true }))
for await (const _ of createInterface({ input: process.stdin })) console.log(JSON.stringify(await block()))
process.exit(0)
