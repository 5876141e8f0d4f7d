// Teaches a model answers with LoRA, a part of the backward pass left out, and keeps the adapter, the merged model and a GGUF file:
// npx tsx examples/tune-answers.ts runs/demo/model recipes/data/chats.jsonl runs/tuned
import { mkdirSync } from 'node:fs'
import {
  addLora,
  batches,
  dropbp,
  evaluate,
  exportGguf,
  languageModeling,
  loadModel,
  mergeAndUnload,
  readSupervised,
  saveDecoder,
  saveLora,
  train,
} from 'anneal'

const [directory, data, out] = process.argv.slice(2)
if (directory === undefined || data === undefined || out === undefined) {
  console.error('usage: npx tsx examples/tune-answers.ts MODEL DATA.jsonl OUT')
  process.exit(2)
}
const { model, tokenizer } = await loadModel(directory)
if (tokenizer === undefined) throw new Error(`${directory} has no tokenizer`)
const answers = await readSupervised(data, { tokenizer, maxLength: 256, onOverlong: 'truncate-right' })
const source = batches(answers.train, { batchSize: 2 })
const objective = languageModeling()

addLora(model, { r: 4 })
const before = await evaluate(model, source, objective)
const options = { steps: 20, learningRate: 2e-3, rules: [dropbp({ rate: 0.25, allocation: 'uniform' })(model)] }
for await (const event of train(model, source, objective, options))
  if (event.type === 'notice') console.error(event.message)
const after = await evaluate(model, source, objective)
console.log(before.eval_loss, after.eval_loss)

mkdirSync(`${out}/adapter`, { recursive: true })
mkdirSync(`${out}/merged`)
saveLora(model, `${out}/adapter`, { baseModel: directory })
mergeAndUnload(model)
saveDecoder(model, `${out}/merged`)
await exportGguf(model, `${out}/model.gguf`, { tokenizer })
