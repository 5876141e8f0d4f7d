// Loads a model directory and continues a text, token by token: npx tsx examples/generate.ts runs/demo/model 'If you want to'
import { loadLm } from 'anneal'

const [directory, prompt = 'If you want to'] = process.argv.slice(2)
if (directory === undefined) {
  console.error('usage: npx tsx examples/generate.ts MODEL [PROMPT]')
  process.exit(2)
}
const lm = await loadLm(directory)
process.stdout.write(prompt)
for await (const { text } of lm.generate({ prompt, maxNewTokens: 60, temperature: 0.7, seed: 1 })) {
  process.stdout.write(text)
}
process.stdout.write('\n')
