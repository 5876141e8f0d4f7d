// The experiment behind the card of DropBP. On a small Llama pre-trained here on one text and tuned on another:
//   tsx experiments/dropbp/run.ts [--quick] [--pretrain PATH…] [--tune PATH…] [--seeds 3] [--accumulation 1] [--out DIR]
// (--costs RESULTS.json takes the times from an earlier run, so that only those need a quiet machine, and --arms PATTERN runs some arms)
// and time, memory and sequence length alone, with random weights, at the shape of a small model for a CPU or, where there is a GPU, of
// a large one:
//   tsx experiments/dropbp/run.ts --shape 22M [--tuning lora|full] [--batch 4] [--length 256] [--longest 0]
//   tsx experiments/dropbp/run.ts --device cuda --shape 1B|8B [--tuning lora|full] [--batch 2] [--length 2048] [--budget-gib 60]
// Writes results.json and tables.md into DIR (default out/dropbp).
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { addLora } from '../../src/methods/lora/lora.ts'
import { resolveDevice } from '../../src/torch/index.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { randomModel } from '../setting/shapes.ts'
import { type Costs, measureCosts } from './cost.ts'
import { armsFor, cosines, RATES, type Tuning, tunable, tune } from './quality.ts'
import { prepare, type Setting, SIZES } from './setting.ts'
import { type Results, writeTables } from './tables.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    pretrain: { type: 'string', multiple: true, default: [] },
    tune: { type: 'string', multiple: true, default: [] },
    seeds: { type: 'string' },
    steps: { type: 'string' },
    'pretrain-steps': { type: 'string' },
    accumulation: { type: 'string' },
    costs: { type: 'string' },
    arms: { type: 'string', default: '' },
    out: { type: 'string', default: 'out/dropbp' },
    device: { type: 'string', default: 'cpu' },
    shape: { type: 'string' },
    tuning: { type: 'string', multiple: true, default: ['lora', 'full'] },
    batch: { type: 'string', default: '2' },
    length: { type: 'string', default: '2048' },
    'budget-gib': { type: 'string' },
    longest: { type: 'string', default: String(1 << 18) },
    checkpointing: { type: 'boolean', default: false },
  },
})

const say = (line: string): void => console.error(line)
const tunings = values.tuning as Tuning[]
const ALL_RATES = [0, ...RATES]

async function small(): Promise<Results> {
  const size = { ...SIZES[values.quick ? 'quick' : 'full'] }
  if (values.steps !== undefined) size.tuneSteps = Number(values.steps)
  if (values['pretrain-steps'] !== undefined) size.pretrainSteps = Number(values['pretrain-steps'])
  if (values.accumulation !== undefined) size.accumulation = Number(values.accumulation)
  const known = values.costs === undefined ? {} : (JSON.parse(readFileSync(values.costs, 'utf8')) as Results).costs
  const seeds = Number(values.seeds ?? (values.quick ? 1 : 3))
  const setting = await prepare(size, { pretrain: values.pretrain, tune: values.tune }, say)
  const results: Results = {
    machine: machineFor(values.device),
    settings: { ...size, seeds },
    before: setting.before,
    costs: {},
    outcomes: [],
    cosines: [],
  }
  for (const tuning of tunings) {
    const costs = known[tuning] ?? (await costsOf(setting, tuning))
    results.costs[tuning] = costs
    const plain = costs.rows[0]!.stepMs
    const arms = armsFor((rate) => costs.rows.find((row) => row.rate === rate)!.stepMs / plain).filter(
      ({ name }) => name === 'plain' || new RegExp(values.arms).test(name),
    )
    for (let seed = 0; seed < seeds; seed++) {
      for (const arm of arms) {
        const outcome = await tune(setting, tuning, arm, seed)
        results.outcomes.push(outcome)
        say(
          `  ${tuning} seed ${seed} P=${arm.rate} ${arm.name}: ${outcome.loss.toFixed(4)} after ${outcome.steps} steps, ${outcome.seconds.toFixed(1)} s`,
        )
      }
      write(results)
    }
    results.cosines.push(...(await cosines(setting, tuning, values.quick ? 8 : 60)))
  }
  return results
}

async function costsOf(setting: Setting, tuning: Tuning): Promise<Costs> {
  say(`${tuning}: cost`)
  const model = tunable(setting, tuning, 0)
  const { batch, length } = setting.size
  const [rounds, steps] = values.quick ? [2, 3] : [5, 8]
  const costs = await measureCosts(
    model,
    { rates: ALL_RATES, batch, length, rounds, steps, bf16: false, longest: 1 << 15 },
    say,
  )
  model.free()
  return costs
}

/** Time and memory at the shape of a real model: random weights made on the device, bf16 on a GPU and f32 on a CPU. */
async function large(shape: string): Promise<Results> {
  const device = resolveDevice(values.device)
  const bf16 = device !== 'cpu'
  const dtype = bf16 ? 'bf16' : 'f32'
  const costs: Partial<Record<Tuning, Costs>> = {}
  const [batch, length] = [Number(values.batch), Number(values.length)]
  for (const tuning of tunings) {
    const model = randomModel(shape, device, dtype)
    if (tuning === 'lora') addLora(model, { r: 8, loraAlpha: 16 })
    else model.trainable()
    model.gradientCheckpointing = values.checkpointing
    say(`${shape} ${tuning} on ${device}`)
    const budget = values['budget-gib'] === undefined ? {} : { budget: Number(values['budget-gib']) * 2 ** 30 }
    costs[tuning] = await measureCosts(
      model,
      {
        rates: ALL_RATES,
        batch,
        length,
        rounds: bf16 ? 2 : 5,
        steps: 5,
        bf16,
        longest: Number(values.longest),
        ...budget,
      },
      say,
    )
    model.free()
  }
  return {
    machine: machineFor(values.device),
    settings: { shape, device, batch, length, checkpointing: values.checkpointing },
    costs,
    outcomes: [],
    cosines: [],
  }
}

function write(results: Results): void {
  writeResults(values.out, results, writeTables(results))
}

async function main(): Promise<void> {
  const begun = performance.now()
  const results = values.shape === undefined ? await small() : await large(values.shape)
  write(results)
  console.log(writeTables(results))
  say(`${((performance.now() - begun) / 60000).toFixed(1)} minutes → ${values.out}`)
}

void main()
