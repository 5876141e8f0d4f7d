// llama.cpp through node-llama-cpp on the same weights: llama_cpp_peer.mjs MODEL.gguf '[ids]' TOKENS THREADS [REPEATS]; prints one JSON object.
// node-llama-cpp is not a dependency (its packages for all devices take 725 MB): install it beside and set BENCH_LLAMA_CPP to its folder.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const home = process.env.BENCH_LLAMA_CPP ?? process.cwd()
const entry = createRequire(join(home, 'package.json')).resolve('node-llama-cpp')
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(entry).href)
const [file, ids, count, threads, repeats = '3'] = process.argv.slice(2)
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error, maxThreads: Number(threads) })
const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 })
const context = await model.createContext({ contextSize: 512, threads: Number(threads), sequences: 1 })
const sequence = context.getSequence()
const rates = []
let tokens = []
for (let i = 0; i <= Number(repeats); i++) {
  await sequence.clearHistory()
  tokens = []
  const begun = performance.now()
  for await (const token of sequence.evaluate(JSON.parse(ids), { temperature: 0, yieldEogToken: true })) {
    tokens.push(token)
    if (tokens.length === Number(count)) break
  }
  rates.push((Number(count) / (performance.now() - begun)) * 1000)
}
rates.shift() // warm-up
rates.sort((a, b) => a - b)
console.log(JSON.stringify({ engine: 'llama.cpp', tokens_per_second: rates[rates.length >> 1], token_ids: tokens }))
process.exit(0)
