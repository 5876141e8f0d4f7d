// The experiment behind the card of structured pruning. On small Llamas pre-trained here, one for each seed:
//   tsx experiments/prune/run.ts [--quick] [--text PATH…] [--seeds 3] [--pretrain-steps N] [--recovery-steps N]
//     [--threads N] [--out DIR]
// and time, memory and speed alone, with random weights, at the shape of a small model or, where there is a GPU, of a large one:
//   tsx experiments/prune/run.ts --shape 22M
//   tsx experiments/prune/run.ts --device cuda --shape 1B|8B [--batch 1] [--length 2048] [--calibration 8]
// Writes results.json and tables.md into DIR (default out/prune).
import { parseArgs } from 'node:util'
import { resolveDevice, setThreads } from '../../src/torch/index.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { ARMS, RATIOS, runArm, TARGETS, type TargetName } from './arms.ts'
import { measureCosts } from './cost.ts'
import { prepare, pretrain, SIZES } from './setting.ts'
import { type Results, writeTables } from './tables.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    text: { type: 'string', multiple: true, default: [] },
    seeds: { type: 'string' },
    'pretrain-steps': { type: 'string' },
    'recovery-steps': { type: 'string' },
    out: { type: 'string', default: 'out/prune' },
    threads: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    shape: { type: 'string' },
    batch: { type: 'string', default: '1' },
    length: { type: 'string', default: '512' },
    calibration: { type: 'string', default: '8' },
  },
})

const say = (line: string): void => console.error(line)

async function quality(): Promise<Results> {
  const size = { ...SIZES[values.quick ? 'quick' : 'full'] }
  if (values['pretrain-steps'] !== undefined) size.pretrainSteps = Number(values['pretrain-steps'])
  if (values['recovery-steps'] !== undefined) size.recoverySteps = Number(values['recovery-steps'])
  const seeds = Number(values.seeds ?? (values.quick ? 1 : 3))
  const setting = await prepare(size, values.text)
  const results: Results = { machine: machineFor(values.device), settings: { ...size, seeds }, outcomes: [], costs: [] }
  for (let seed = 0; seed < seeds; seed++) {
    const model = await pretrain(setting, seed, say)
    const whole = { name: 'whole', options: { importance: 'l2' as const } }
    results.outcomes.push(await runArm(setting, model, seed, whole, 'none', 0))
    for (const targets of Object.keys(TARGETS) as TargetName[]) {
      for (const ratio of RATIOS) {
        for (const arm of ARMS) {
          const outcome = await runArm(setting, model, seed, arm, targets, ratio)
          results.outcomes.push(outcome)
          say(
            `  seed ${seed} ${targets} ${ratio} ${arm.name}: ${outcome.pruned.toFixed(4)}, recovered ${outcome.recovered.toFixed(4)}`,
          )
        }
      }
    }
    model.free()
    write(results)
  }
  return results
}

async function cost(shape: string): Promise<Results> {
  const device = resolveDevice(values.device)
  const options = {
    device,
    batch: Number(values.batch),
    length: Number(values.length),
    calibrationBatches: Number(values.calibration),
  }
  return {
    machine: machineFor(values.device),
    settings: { shape, ...options },
    outcomes: [],
    costs: await measureCosts(shape, options, say),
  }
}

function write(results: Results): void {
  writeResults(values.out, results, writeTables(results))
}

async function main(): Promise<void> {
  const begun = performance.now()
  // Models as small as the quick ones gain nothing from a second thread.
  if (values.threads !== undefined || values.quick) setThreads(Number(values.threads ?? 1))
  const results = values.shape === undefined ? await quality() : await cost(values.shape)
  write(results)
  console.log(writeTables(results))
  say(`${((performance.now() - begun) / 60000).toFixed(1)} minutes → ${values.out}`)
}

void main()
