// Makes test/fixtures/gguf/llama-cpp.json: what llama.cpp says about the files of test/gguf-cases.ts.
//   npm i --prefix ELSEWHERE --ignore-scripts node-llama-cpp@3.22.1 && LLAMA_CPP=ELSEWHERE npx tsx scripts/goldens/llama-cpp.ts
// node-llama-cpp is no dependency: its packages for all devices take 725 MB.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { HARD_TEXTS } from '../../src/gguf/compare.ts'
import {
  CASE_IDS,
  caseModel,
  MODEL_CASES,
  TOKENIZER_CASES,
  writeAdapterCase,
  writeModelCase,
  writeTokenizerCase,
} from '../../test/gguf-cases.ts'

const entry = createRequire(join(process.env.LLAMA_CPP!, 'package.json')).resolve('node-llama-cpp')
const GREEDY = 16

const PROBABILITIES = { generateNext: { probabilities: true } }

interface Answer {
  next: { probabilities: Map<number, number> }
}

/** The log-probability of each following token. */
function followingLogProbs(answers: readonly Answer[]): number[] {
  return CASE_IDS.slice(1).map((id, i) => Number(Math.log(answers[i]!.next.probabilities.get(id)!).toFixed(5)))
}

async function main(): Promise<void> {
  const { getLlama, LlamaLogLevel } = await import(pathToFileURL(entry).href)
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error, maxThreads: 1 })
  const directory = mkdtempSync(join(tmpdir(), 'anneal-goldens-'))
  const models: Record<string, unknown> = {}
  for (const modelCase of MODEL_CASES) {
    const path = join(directory, `${modelCase.name}.gguf`)
    const ours = caseModel(modelCase)
    const sha256 = writeModelCase(modelCase, ours, path)
    ours.free()
    const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 })
    const context = await model.createContext({ contextSize: 64, sequences: 1, threads: 1, flashAttention: false })
    const sequence = context.getSequence()
    const answers: Answer[] = await sequence.controlledEvaluate(CASE_IDS.map((id) => [id, PROBABILITIES]))
    const logProbs = followingLogProbs(answers)
    const top = answers.map(({ next }) => [...next.probabilities.keys()][0])
    await sequence.clearHistory()
    const greedy: number[] = []
    for await (const token of sequence.evaluate(CASE_IDS.slice(0, 8), { temperature: 0, yieldEogToken: true })) {
      greedy.push(token)
      if (greedy.length === GREEDY) break
    }
    await context.dispose()
    await model.dispose()
    models[modelCase.name] = { sha256, logProbs, top, greedy }
  }
  const lora = join(directory, 'adapter.gguf')
  const loraSha256 = writeAdapterCase(lora)
  const base = await llama.loadModel({ modelPath: join(directory, `${MODEL_CASES[0]!.name}.gguf`), gpuLayers: 0 })
  const context = await base.createContext({ contextSize: 64, sequences: 1, threads: 1, flashAttention: false, lora })
  const adapted = await context.getSequence().controlledEvaluate(CASE_IDS.map((id) => [id, PROBABILITIES]))
  const adapter = { sha256: loraSha256, logProbs: followingLogProbs(adapted) }
  await context.dispose()
  await base.dispose()
  const tokenizers: Record<string, unknown> = {}
  for (const name of TOKENIZER_CASES) {
    const path = join(directory, `${name}.gguf`)
    const sha256 = writeTokenizerCase(name, path)
    const model = await llama.loadModel({ modelPath: path, gpuLayers: 0, vocabOnly: true })
    tokenizers[name] = { sha256, ids: HARD_TEXTS.map((text) => model.tokenize(text, false)) }
    await model.dispose()
  }
  const target = fileURLToPath(new URL('../../test/fixtures/gguf/', import.meta.url))
  mkdirSync(target, { recursive: true })
  const json = { made_with: 'node-llama-cpp 3.22.1, CPU, one thread', models, adapter, tokenizers }
  writeFileSync(join(target, 'llama-cpp.json'), `${JSON.stringify(json).replaceAll('},"', '},\n"')}\n`)
  process.exit(0)
}

await main()
