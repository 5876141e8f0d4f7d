// The threads that share the loops of inference (native/pool.cc), through an operator: several isolates at once, any number of threads.
import { spawnSync } from 'node:child_process'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { inference, ops, scope, setThreads, Tensor } from '../src/torch/index.ts'
import { readEngineRecord } from '../src/torch/setup/record.ts'

const { addon } = readEngineRecord()!
const [INPUTS, OUTPUTS] = [576, 1537]

/** Numbers whose products are rounded, so that another order of a sum would show. */
const numbers = (count: number, step: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * step))

/** y of one product, as its bits. */
function product(x: Float32Array): Uint32Array {
  const y = inference(() =>
    ops.linear(Tensor.from(x, [x.length / INPUTS, INPUTS]), Tensor.from(WEIGHT, [OUTPUTS, INPUTS])),
  )
  return new Uint32Array((y.data() as Float32Array).buffer)
}
const WEIGHT = numbers(OUTPUTS * INPUTS, 0.71)

/** Repeats products with one thread to five and counts those that are not, bit for bit, what one thread gave. */
const WORK = `
  const { parentPort, workerData: { addon, weight, cases, inputs, rounds } } = require('node:worker_threads')
  const native = require(addon)
  native.setGradEnabled(false); native.setInference(true)
  const linear = native.op('anneal::linear', '')
  const w = native.fromData(weight, 6, [weight.length / inputs, inputs])
  const all = cases.map(({ x, y }) => ({ x: native.fromData(x, 6, [x.length / inputs, inputs]), wanted: Buffer.from(y.buffer), found: new Float32Array(y.length) }))
  let wrong = 0
  for (let round = 0; round < rounds; round++) {
    native.setThreads(1 + round % 5)
    for (const { x, wanted, found } of all) {
      const y = native.call(linear, x, w)
      native.toData(y, found)
      native.freeOne(y)
      if (!wanted.equals(Buffer.from(found.buffer))) wrong++
    }
  }
  parentPort.postMessage(wrong)
`

function stress(cases: { x: Float32Array; y: Uint32Array }[], rounds: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORK, {
      eval: true,
      workerData: { addon, weight: WEIGHT, cases, inputs: INPUTS, rounds },
    })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

describe('the pool', () => {
  it('gives the bits of one thread to one isolate and to several at once, whatever number of threads each asks for', async () => {
    setThreads(1)
    // Two of each size, so that memory used again does not hold what should be computed.
    const cases = [1, 3, 8].flatMap((rows) =>
      [0.37, 0.53].map((step) => {
        const x = numbers(rows * INPUTS, step)
        return { x, y: scope(() => product(x)) }
      }),
    )
    expect(await stress(cases, 150)).toBe(0)
    const workers = Array.from({ length: 3 }, () => stress(cases, 60))
    // The main thread beside them.
    for (let round = 0; round < 40; round++) {
      setThreads(1 + (round % 3))
      for (const { x, y } of cases.slice(2, 4)) scope(() => expect(product(x)).toEqual(y))
      await new Promise(setImmediate)
    }
    expect(await Promise.all(workers)).toEqual([0, 0, 0])
    setThreads(1)
  })

  it('lets a process end at any moment', () => {
    const program = `
      const { Worker } = require('node:worker_threads')
      const addon = ${JSON.stringify(addon)}
      const body = "const native = require(" + JSON.stringify(addon) + "); native.setGradEnabled(false); native.setInference(true); native.setThreads(3); const a = native.fromData(new Float32Array(1 << 20).fill(1), 6, [1024, 1024]); " +
        "const x = native.fromData(new Float32Array(1024).fill(1), 6, [1, 1024]); const linear = native.op('anneal::linear', ''); for (;;) native.freeOne(native.call(linear, x, a))"
      new Worker(body, { eval: true })
      setTimeout(() => process.exit(0), 300)
    `
    for (let i = 0; i < 3; i++)
      expect(spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 60_000 })).toMatchObject({
        status: 0,
        signal: null,
      })
  })
})
