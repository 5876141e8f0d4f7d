// Trains a tokenizer and a model on texts from a program of your own: npx tsx examples/train-on-texts.ts
import { batches, Decoder, languageModeling, packDocuments, readModelConfig, train, trainBpe } from 'anneal'

const texts = Array.from({ length: 300 }, (_, i) => `${i} and ${i + 1} make ${2 * i + 1}.`)
const { tokenizer } = await trainBpe(texts, { vocabSize: 320, specialTokens: ['<|end|>'], roles: { eos: '<|end|>' } })
const blocks = await packDocuments(
  texts.map((text) => ({ text })),
  tokenizer,
  { blockLength: 32 },
)
const size = { hidden_size: 64, intermediate_size: 128, num_hidden_layers: 2, num_attention_heads: 2 }
const config = readModelConfig({ model_type: 'llama', vocab_size: tokenizer.vocabSize, ...size }, 'the example')
const model = Decoder.fresh(config, { seed: 42 })
model.trainable()

const source = batches(blocks, { batchSize: 8 })
for await (const event of train(model, source, languageModeling(), { steps: 60, learningRate: 3e-3 })) {
  if (event.type === 'step-done' && event.metrics.step % 20 === 0) console.log(event.metrics.step, event.metrics.loss)
}
