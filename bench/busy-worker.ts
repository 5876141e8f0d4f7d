// One process of bench/busy.ts: decodes and trains the demo's kind of model for some seconds each and prints how fast that was.
import { parseArgs } from 'node:util'
import { Engine } from '../src/infer/engine.ts'
import { readModelConfig } from '../src/model/config-read.ts'
import { Decoder } from '../src/model/decoder.ts'
import { engineInfo, setThreads } from '../src/torch/index.ts'
import { languageModeling } from '../src/train/objective.ts'
import { train } from '../src/train/train.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string' }, threads: { type: 'string' } } })
const milliseconds = Number(values.seconds) * 1000

const config = readModelConfig(
  {
    model_type: 'llama',
    vocab_size: 2048,
    hidden_size: 192,
    intermediate_size: 512,
    num_hidden_layers: 4,
    num_attention_heads: 6,
    num_key_value_heads: 2,
    max_position_embeddings: 2048,
    tie_word_embeddings: true,
  },
  'config.json',
)

async function main(): Promise<void> {
  setThreads(Number(values.threads))
  const model = Decoder.fresh(config)
  const tokensPerSecond = await decode(model)
  model.trainable()
  const stepsPerSecond = await trainFor(model)
  console.log(JSON.stringify({ tokensPerSecond, stepsPerSecond, threads: engineInfo().threads }))
}

/** Greedy tokens of one sequence at a time, after a short one to warm up. */
async function decode(model: Decoder): Promise<number> {
  const engine = new Engine({ model })
  let [tokens, begun] = [0, 0]
  for (let maxNewTokens = 4; begun === 0 || performance.now() - begun < milliseconds; maxNewTokens = 256) {
    for await (const piece of engine.generate({ ids: [1, 2, 3], maxNewTokens, temperature: 0 })) {
      if (begun === 0) continue
      tokens += piece.tokenIds.length
      if (performance.now() - begun >= milliseconds) break
    }
    begun ||= performance.now()
  }
  return (tokens / (performance.now() - begun)) * 1000
}

/** Steps of 8 × 128 random tokens, after one to warm up. */
async function trainFor(model: Decoder): Promise<number> {
  const inputIds = Int32Array.from({ length: 8 * 128 }, (_, i) => (i * 7919) % config.vocabSize)
  const batch = { rows: 8, length: 128, inputIds, labels: inputIds }
  const source = { batchesPerEpoch: 1, at: () => batch }
  let [steps, begun] = [0, 0]
  for await (const event of train(model, source, languageModeling(), { steps: 1_000_000, learningRate: 1e-4 })) {
    if (event.type !== 'step-done') continue
    if (begun === 0) begun = performance.now()
    else steps++
    if (performance.now() - begun >= milliseconds && steps > 0) break
  }
  return (steps / (performance.now() - begun)) * 1000
}

void main()
