// Which block of a model matters most? A branch rule leaves each out in turn: npx tsx examples/skip-each-block.ts runs/demo/model
import type { BranchRule } from 'anneal/nn'
import { loadLm } from 'anneal/run'

const [directory, prompt = 'The function returns the number of bytes written.'] = process.argv.slice(2)
if (directory === undefined) {
  console.error('usage: npx tsx examples/skip-each-block.ts MODEL [TEXT]')
  process.exit(2)
}
const engine = await loadLm(directory)
const leaveOut: BranchRule = () => null
for (const [index, block] of engine.model.model.layers.entries()) {
  for (const branch of [block.attention, block.feedForward]) branch.rules.push(leaveOut)
  const [logProbs = []] = await engine.score([engine.encode({ prompt })])
  const loss = -logProbs.reduce<number>((sum, logProb) => sum + (logProb ?? 0), 0) / (logProbs.length - 1)
  console.log(`loss without block ${index}: ${loss.toFixed(3)}`)
  for (const branch of [block.attention, block.feedForward]) branch.rules.pop()
}
