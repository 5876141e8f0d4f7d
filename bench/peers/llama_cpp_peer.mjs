// llama.cpp through node-llama-cpp: llama_cpp_peer.mjs MODEL.gguf IDS.json TOKENS THREADS --interactive; one greedy continuation and one
// JSON object per line of standard input, as bench/ours.ts decode.
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
const [ids] = JSON.parse(readFileSync(idsFile, 'utf8'))
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error, maxThreads: Number(threads) })
const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 })
const context = await model.createContext({ contextSize: 512, threads: Number(threads), sequences: 1 })
const sequence = context.getSequence()

async function block() {
  await sequence.clearHistory()
  const tokens = []
  const begun = performance.now()
  for await (const token of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
    tokens.push(token)
    if (tokens.length === Number(count)) break
  }
  const tokensPerSecond = (Number(count) / (performance.now() - begun)) * 1000
  return { engine: 'llama.cpp', tokens_per_second: tokensPerSecond, token_ids: tokens, resident_bytes: model.size }
}

await block() // warm-up
console.log(JSON.stringify({ ready: true }))
for await (const _ of createInterface({ input: process.stdin })) console.log(JSON.stringify(await block()))
process.exit(0)
