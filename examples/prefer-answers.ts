// Makes the better one of two answers likelier (DPO with LoRA): npx tsx examples/prefer-answers.ts runs/demo/model
import {
  addLora,
  answerLogProbs,
  dpo,
  loadDecoder,
  pairBatches,
  readPreferences,
  Tokenizer,
  train,
  withoutAdapter,
} from 'anneal'

const [directory, file = 'recipes/data/pairs.jsonl'] = process.argv.slice(2)
if (directory === undefined) {
  console.error('usage: npx tsx examples/prefer-answers.ts MODEL [PAIRS.jsonl]')
  process.exit(2)
}
const tokenizer = await Tokenizer.fromDirectory(directory)
const model = loadDecoder(directory)
const { train: pairs } = await readPreferences(file, { tokenizer, maxLength: 512 })
addLora(model, { r: 8 })
const objective = dpo({ reference: (model, batch) => withoutAdapter(model, () => answerLogProbs(model, batch)) })
const source = pairBatches(pairs, { batchSize: 4 })
for await (const event of train(model, source, objective, { steps: 20, learningRate: 1e-3 })) {
  if (event.type === 'step-done') console.log(event.metrics.step, event.metrics.loss, event.metrics['rewards/margins'])
}
