// The experiment behind the card of SLEB. On small Llamas pre-trained here, one for each seed:
//   tsx experiments/sleb/run.ts [--quick] [--pretrain PATH…] [--calibrate PATH…] [--evaluate PATH…] [--seeds 3] [--out DIR]
// on a model directory, where seeds draw the calibration windows:
//   tsx experiments/sleb/run.ts --model DIR --calibrate PATH… --evaluate PATH… [--device cuda] [--length 2048] [--batch 1]
// and speed and search time alone, with random weights at the shape of a published model:
//   tsx experiments/sleb/run.ts --shape 22M|1B|8B [--device cuda] [--length 2048] [--rows 64]
// Writes results.json and tables.md into DIR (default out/sleb).
import { parseArgs } from 'node:util'
import type { Batch } from '../../src/data/batch.ts'
import { sleb } from '../../src/methods/sleb/sleb.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { resolveDevice } from '../../src/torch/index.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { randomModel } from '../setting/shapes.ts'
import { type Arms, countsFor, measureArms } from './arms.ts'
import { prepareGiven, prepareSmall, SIZES } from './setting.ts'
import { measureSpeeds, type Speed } from './speed.ts'
import { type Results, writeTables } from './tables.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    model: { type: 'string' },
    shape: { type: 'string' },
    pretrain: { type: 'string', multiple: true, default: [] },
    calibrate: { type: 'string', multiple: true, default: [] },
    evaluate: { type: 'string', multiple: true, default: [] },
    seeds: { type: 'string' },
    steps: { type: 'string' },
    length: { type: 'string' },
    batch: { type: 'string' },
    windows: { type: 'string' },
    rows: { type: 'string', default: '1' },
    device: { type: 'string', default: 'cpu' },
    out: { type: 'string', default: 'out/sleb' },
  },
})

const say = (line: string): void => console.error(line)
const device = resolveDevice(values.device)
const dtype = device === 'cpu' ? 'f32' : 'bf16'

function sizeOf(): (typeof SIZES)['full'] {
  const size = { ...SIZES[values.quick ? 'quick' : 'full'] }
  if (values.steps !== undefined) size.pretrainSteps = Number(values.steps)
  if (values.length !== undefined) size.length = Number(values.length)
  if (values.batch !== undefined) size.batch = Number(values.batch)
  if (values.windows !== undefined) size.calibrationWindows = Number(values.windows)
  return size
}

/** Every arm at every count. */
async function quality(): Promise<Results> {
  const size = sizeOf()
  const seeds = Number(values.seeds ?? (values.quick ? 2 : 3))
  const paths = { pretrain: values.pretrain, calibrate: values.calibrate, evaluate: values.evaluate }
  const setting =
    values.model === undefined
      ? await prepareSmall(size, paths, say)
      : await prepareGiven(values.model, size, paths, { device, dtype })
  const arms: Arms = { dense: [], rows: [], costs: [] }
  const settings = { ...size, seeds, 'seeds decide': setting.seeds, model: values.model ?? 'pre-trained here', dtype }
  const results: Results = { machine: machineFor(device), settings, arms, speeds: [] }
  for (let seed = 0; seed < seeds; seed++) {
    say(`seed ${seed}`)
    const model = await setting.model(seed)
    const counts = countsFor(model.config)
    if (seed === 0) results.speeds = speedsOf(model, counts)
    await measureArms(model, setting, seed, counts, size.randomDraws, arms, say)
    model.free()
    write(results)
  }
  return results
}

/** What does not depend on the weights: speed with fewer blocks, and the time of a search for a fifth of them. */
async function shape(name: string): Promise<Results> {
  const model = randomModel(name, device, dtype)
  const length = Number(values.length ?? 2048)
  const counts = countsFor(model.config)
  const speeds = speedsOf(model, counts)
  const windows = Number(values.windows ?? 4)
  const calibration = Array.from({ length: windows }, (_, i) => noise(length, model.config.vocabSize, i))
  const remove = Math.ceil(0.2 * model.config.layers.length - 1e-9)
  const seconds: Record<string, number> = {}
  await sleb(model, calibration.slice(0, 1), { remove: 1 }) // for warming up
  for (const reuse of [true, false]) {
    const begun = performance.now()
    // Random weights make candidates alike: nothing would be given up early, so that is not measured here.
    await sleb(model, calibration, { remove, racing: false }, { reuse })
    seconds[reuse ? 'with reuse' : 'without reuse'] = (performance.now() - begun) / 1000
    say(
      `search for ${remove} blocks ${reuse ? 'with' : 'without'} reuse of hidden states: ${((performance.now() - begun) / 1000).toFixed(1)} s`,
    )
  }
  model.free()
  return {
    machine: machineFor(device),
    settings: { shape: name, device, dtype, length, windows, remove, 'search seconds': seconds },
    speeds,
  }
}

function speedsOf(model: Decoder, counts: readonly number[]): Speed[] {
  const isLarge = device !== 'cpu'
  return measureSpeeds(model, {
    counts,
    rows: Number(values.rows),
    promptLength: Math.min(model.config.maxPositionEmbeddings, values.quick ? 64 : isLarge ? 2048 : 512),
    newTokens: values.quick ? 16 : 128,
    rounds: values.quick ? 2 : 7,
  })
}

function noise(length: number, vocabulary: number, seed: number): Batch {
  const inputIds = Int32Array.from(
    { length },
    (_, i) => (Math.imul(i + 1 + seed * length, 2654435761) >>> 8) % vocabulary,
  )
  return { rows: 1, length, inputIds, labels: inputIds }
}

function write(results: Results): void {
  writeResults(values.out, results, writeTables(results))
}

async function main(): Promise<void> {
  const begun = performance.now()
  const results = values.shape === undefined ? await quality() : await shape(values.shape)
  write(results)
  console.log(writeTables(results))
  say(`${((performance.now() - begun) / 60000).toFixed(1)} minutes → ${values.out}`)
}

void main()
