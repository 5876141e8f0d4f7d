// The experiment behind the card of QPruner, on small Llamas pre-trained here, one for each seed:
//   tsx experiments/qpruner/run.ts [--quick] [--data PATH…] [--seeds 3] [--quantizer rtn,gptq] [--granularity layer,matrix] [--out DIR]
// Quantizers at equal bytes, allocations at equal bytes, and LoftQ against a start from zero. Writes results.json and tables.md into DIR
// (default out/qpruner).

import { parseArgs } from 'node:util'
import type { FormatGranularity, Quantizer } from '../../src/methods/quantize/choices.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { allocationArms, quantizerArms } from './allocation-arms.ts'
import { loftqArms } from './loftq-arms.ts'
import { prepare, SIZES } from './setting.ts'
import { type Results, writeTables } from './tables.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    data: { type: 'string', multiple: true, default: [] },
    seeds: { type: 'string' },
    steps: { type: 'string' },
    quantizer: { type: 'string', default: 'rtn' },
    granularity: { type: 'string', default: 'layer,matrix' },
    out: { type: 'string', default: 'out/qpruner' },
  },
})

const say = (line: string): void => console.error(line)

async function main(): Promise<void> {
  const begun = performance.now()
  const size = { ...SIZES[values.quick ? 'quick' : 'full'] }
  if (values.steps !== undefined) size.pretrainSteps = Number(values.steps)
  const seeds = Number(values.seeds ?? (values.quick ? 1 : 3))
  const results: Results = {
    machine: machineFor('cpu'),
    settings: { ...size, seeds, quantizer: values.quantizer },
    dense: [],
    quantizers: [],
    allocations: [],
    loftq: [],
  }
  const setting = await prepare(size, values.data, say)
  for (let seed = 0; seed < seeds; seed++) {
    say(`seed ${seed}: pre-training ${size.pretrainSteps} steps`)
    const model = await setting.model(seed)
    const held = { batchesPerEpoch: setting.evaluation.length, at: (index: number) => setting.evaluation[index]! }
    results.dense.push((await evaluate(model, held, languageModeling())).eval_loss!)
    results.quantizers.push(...(await quantizerArms(setting, model, seed)))
    for (const quantizer of values.quantizer.split(',') as Quantizer[])
      for (const granularity of values.granularity.split(',') as FormatGranularity[])
        results.allocations.push(...(await allocationArms(setting, model, seed, granularity, quantizer, say)))
    results.loftq.push(...(await loftqArms(setting, model, seed)))
    model.free()
    write(results)
    say(`  ${((performance.now() - begun) / 1000).toFixed(0)} s so far`)
  }
  console.log(writeTables(results))
}

function write(results: Results): void {
  writeResults(values.out, results, writeTables(results))
}

await main()
