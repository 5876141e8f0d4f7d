// The add-on in several isolates of one process: nothing of it is static, and it outlives the workers that loaded it.
import { spawnSync } from 'node:child_process'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { backward, ops, Tensor } from '../src/torch/index.ts'
import { readEngineRecord } from '../src/torch/setup/record.ts'

const { addon } = readEngineRecord()!

/** What a worker does: Σ (A Aᵀ) and its gradient for A = ones[64, 64] · `workerData.scale`, by the bare functions of the add-on. */
const WORK = `
  const { parentPort, workerData } = require('node:worker_threads')
  const native = require(workerData.addon)
  const [from, matmul, t, sum] = [
    () => native.fromData(new Float32Array(64 * 64).fill(workerData.scale), 6, [64, 64]),
    native.op('aten::matmul', ''), native.op('aten::t', ''), native.op('aten::sum', ''),
  ]
  let value, gradient
  for (let i = 0; i < 20; i++) {
    const a = from()
    native.setRequiresGrad(a, true)
    const y = native.call(sum, native.call(matmul, a, native.call(t, a)))
    native.backward([y], [0], false)
    value = native.item(y)
    gradient = new Float32Array(64 * 64)
    native.toData(native.grad(a), gradient)
  }
  parentPort.postMessage({ value, gradient: gradient[17], live: native.stats().liveTensors })
`

function run(scale: number): Promise<{ value: number; gradient: number; live: number }> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORK, { eval: true, workerData: { addon, scale } })
    let answer: { value: number; gradient: number; live: number }
    worker.on('message', (message) => {
      answer = message
    })
    worker.on('error', reject)
    worker.on('exit', (code) => (code === 0 ? resolve(answer) : reject(new Error(`worker exit ${code}`))))
  })
}

describe('worker threads', () => {
  it('compute side by side, each with its own tensors, and leave the main thread working', async () => {
    const mine = Tensor.from([1, 2, 3])
    mine.requiresGrad = true
    for (let cycle = 0; cycle < 3; cycle++) {
      // Each of 64 · 64 entries is 64 · scale²; the gradient of each is 2 · 64 · scale.
      for (const [i, answer] of (await Promise.all([run(1), run(2)])).entries()) {
        const scale = i + 1
        expect(answer).toMatchObject({ value: 64 ** 3 * scale ** 2, gradient: 128 * scale })
        // 20 rounds of a, its transpose, the product, the sum and the gradient.
        expect(answer.live).toBe(100)
      }
      mine.grad = null
      backward(ops.square(mine).sum())
      expect(mine.grad!).toBeAllclose([2, 4, 6])
    }
  })

  it('may end while they compute', async () => {
    const worker = new Worker(`${WORK}; for (;;) native.call(matmul, from(), from())`, {
      eval: true,
      workerData: { addon, scale: 1 },
    })
    await new Promise((resolve) => worker.once('message', resolve))
    await worker.terminate()
    expect(ops.ones([2]).add(1)).toBeAllclose([2, 2])
  })

  it('may load it where the main thread never does, again and again', () => {
    const program = `
      const { Worker } = require('node:worker_threads')
      const run = (scale) => new Promise((resolve, reject) => {
        const worker = new Worker(${JSON.stringify(WORK)}, { eval: true, workerData: { addon: ${JSON.stringify(addon)}, scale } })
        let answer
        worker.on('message', (message) => { answer = message.value })
        worker.on('error', reject)
        worker.on('exit', () => resolve(answer))
      })
      const cycles = async () => {
        const answers = []
        for (let i = 0; i < 3; i++) answers.push(...(await Promise.all([run(1), run(2)])))
        console.log(JSON.stringify(answers))
      }
      cycles()
    `
    const child = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 50_000 })
    expect(child).toMatchObject({ status: 0, signal: null })
    const [one, two] = [64 ** 3, 64 ** 3 * 4]
    expect(JSON.parse(child.stdout)).toEqual([one, two, one, two, one, two])
  })
})
