// What is left of the speed when other work takes the processors: `npx tsx bench/busy.ts` decodes and trains a small Llama alone and beside
// busy loops, one for each processor, under several ways of waiting. A process with n threads beside as many busy loops has a fair share of
// one half; `kept` is what it got of its own idle speed. Run it on a machine with nothing else to do; it says how busy it found it.
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from '../experiments/setting/statistics.ts'
import { availableProcessors } from '../src/torch/setup/cpu-quota.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    threads: { type: 'string', default: `${availableProcessors()}` },
    /** Ways of waiting, one behind the other with commas; default all. */
    policies: { type: 'string' },
    out: { type: 'string' },
  },
})

/** Ways of waiting: ours, OpenMP's own, and its two extremes. */
const POLICIES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ours: {},
  "OpenMP's default": { GOMP_SPINCOUNT: '300000' },
  'spin 100': { GOMP_SPINCOUNT: '100' },
  'spin 10,000': { GOMP_SPINCOUNT: '10000' },
  passive: { OMP_WAIT_POLICY: 'passive' },
}

const WORKER = fileURLToPath(new URL('busy-worker.ts', import.meta.url))

interface Speed {
  tokensPerSecond: number
  stepsPerSecond: number
  threads: number
}

/** One process: loads, warms up, decodes and trains for the given time each. */
function measure(environment: Readonly<Record<string, string>>): Speed {
  const { OMP_WAIT_POLICY: _, GOMP_SPINCOUNT: __, OMP_NUM_THREADS: ___, ANNEAL_THREADS: ____, ...rest } = process.env
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', WORKER, '--seconds', values.seconds, '--threads', values.threads],
    { env: { ...rest, ...environment }, encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Speed
}

/** Runs `work` beside one busy loop for each processor. */
function besideBusyLoops<T>(work: () => T): T {
  const loops = Array.from({ length: availableProcessors() }, () => spawn(process.execPath, ['-e', 'for (;;);']))
  try {
    return work()
  } finally {
    for (const loop of loops) loop.kill('SIGKILL')
  }
}

const [load] = loadavg()
if (load! > 0.3) console.error(`the machine is not idle (load ${load!.toFixed(1)}): the idle figures are too low`)
const names = values.policies?.split(',') ?? Object.keys(POLICIES)
const idle = new Map<string, Speed[]>(names.map((name) => [name, []]))
const busy = new Map<string, Speed[]>(names.map((name) => [name, []]))
for (let round = 0; round < Number(values.rounds); round++) {
  // Ways take turns, so that a machine that warms up or is disturbed does so to all of them.
  for (const name of names) idle.get(name)!.push(measure(POLICIES[name]!))
  for (const name of names) busy.get(name)!.push(besideBusyLoops(() => measure(POLICIES[name]!)))
  console.error(`round ${round + 1} of ${values.rounds}`)
}

const rows = names.map((name) => {
  const figure = (kind: 'tokensPerSecond' | 'stepsPerSecond'): { idle: number; busy: number; kept: number } => {
    const [alone, beside] = [idle, busy].map((of) => median(of.get(name)!.map((speed) => speed[kind])))
    return { idle: alone!, busy: beside!, kept: beside! / alone! }
  }
  return { policy: name, decoding: figure('tokensPerSecond'), training: figure('stepsPerSecond') }
})
const result = {
  date: new Date().toISOString().slice(0, 10),
  cpu: cpus()[0]?.model.trim(),
  processors: availableProcessors(),
  threads: idle.get(names[0]!)![0]!.threads,
  loadBefore: load,
  rounds: Number(values.rounds),
  rows,
}
for (const { policy, decoding, training } of rows)
  console.log(
    `${policy.padEnd(18)} decoding ${decoding.idle.toFixed(0)} tokens/s, ${decoding.busy.toFixed(0)} beside busy loops (${(100 * decoding.kept).toFixed(0)} %); ` +
      `training ${training.idle.toFixed(2)} steps/s, ${training.busy.toFixed(2)} (${(100 * training.kept).toFixed(0)} %)`,
  )
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`)
