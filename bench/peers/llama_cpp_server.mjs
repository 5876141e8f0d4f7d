// llama.cpp behind HTTP: llama_cpp_server.mjs MODEL.gguf SEQUENCES CONTEXT THREADS prints { url } and answers POST /v1/completions for prompts of
// token ids, greedy, past every end token, as events or whole. node-llama-cpp has llama.cpp's library and not its server: this is its
// batching (a context of many sequences) in a bare node:http handler, without keys, checks, logs, queue or metrics. As llama.cpp's server
// does, a request takes the free sequence that begins most like it, and what they share is not read again.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const entry = createRequire(join(process.env.BENCH_LLAMA_CPP ?? process.cwd(), 'package.json')).resolve(
  'node-llama-cpp',
)
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(entry).href)
const [file, count, contextSize, threads] = process.argv.slice(2)
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error, maxThreads: Number(threads) })
const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 })
const context = await model.createContext({
  contextSize: Number(contextSize),
  batchSize: 512,
  threads: Number(threads),
  sequences: Number(count),
})
const free = Array.from({ length: Number(count) }, () => context.getSequence())
const waiting = []

function shared(sequence, ids) {
  const known = sequence.contextTokens
  let length = 0
  while (length < known.length && length < ids.length && known[length] === ids[length]) length++
  return length
}

async function take(ids) {
  while (free.length === 0) await new Promise((resolve) => waiting.push(resolve))
  let best = 0
  for (const [i, sequence] of free.entries()) if (shared(sequence, ids) > shared(free[best], ids)) best = i
  return free.splice(best, 1)[0]
}

async function* generate(ids, most) {
  const sequence = await take(ids)
  try {
    await sequence.adaptStateToTokens(ids.slice(0, -1), false)
    let made = 0
    const rest = ids.slice(sequence.nextTokenIndex)
    for await (const token of sequence.evaluate(rest, { temperature: 0, yieldEogToken: true })) {
      yield token
      if (++made === most) return
    }
  } finally {
    free.push(sequence)
    waiting.shift()?.()
  }
}

async function complete({ prompt, max_tokens, stream }, response) {
  const usage = { prompt_tokens: prompt.length, completion_tokens: 0, total_tokens: prompt.length }
  const chunk = (choices, more) =>
    JSON.stringify({ id: 'cmpl', object: 'text_completion', created: 0, model: 'peer', choices, ...more })
  if (stream) response.writeHead(200, { 'content-type': 'text/event-stream' })
  const tokens = []
  for await (const token of generate(prompt, max_tokens)) {
    tokens.push(token)
    const choice = { index: 0, text: model.detokenize([token]), finish_reason: null, token_ids: [token] }
    if (stream) response.write(`data: ${chunk([choice])}\n\n`)
  }
  usage.completion_tokens = tokens.length
  usage.total_tokens += tokens.length
  const last = { index: 0, text: stream ? '' : model.detokenize(tokens), finish_reason: 'length' }
  if (stream) response.end(`data: ${chunk([last])}\n\ndata: ${chunk([], { usage })}\n\ndata: [DONE]\n\n`)
  else response.end(chunk([{ ...last, token_ids: tokens }], { usage }))
}

const server = createServer(async (request, response) => {
  try {
    const parts = []
    for await (const part of request) parts.push(part)
    await complete(JSON.parse(Buffer.concat(parts).toString()), response)
  } catch (error) {
    if (!response.headersSent) response.writeHead(500)
    response.end(String(error))
  }
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` })))
process.on('SIGTERM', () => process.exit(0))
