// Tensors live outside JavaScript's heap, so a leak does not show there: steps must leave their number and bytes flat.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadDecoder } from '../src/checkpoint/model-directory/load.ts'
import { CachedRows } from '../src/infer/cached-rows.ts'
import type { Decoder } from '../src/model/decoder.ts'
import { autocast, backward, Generator, memoryStats, noGrad, ops, scope, Tensor } from '../src/torch/index.ts'

const fixture = join(fileURLToPath(new URL('.', import.meta.url)), 'fixtures/models/llama')

const ids = (count: number): Tensor =>
  Tensor.from(
    Array.from({ length: count }, (_, i) => 3 + (i % 50)),
    [1, count],
    'i64',
  )

function trainStep(model: Decoder): void {
  scope(() => {
    const hidden = model.hidden({ inputIds: ids(24) })
    const labels = ids(24).view(-1)
    backward(ops.linearCrossEntropy(hidden.view(24, -1), model.head.dense(), labels)[0]!)
    for (const [, parameter] of model.parameters()) parameter.grad = null
  })
}

function generate(model: Decoder): void {
  const rows = new CachedRows(model)
  noGrad(() => {
    for (let i = 1; i < 10; i++) scope(() => void rows.forward([Array.from({ length: i }, () => 3)]))
  })
  rows.free()
}

/** Live tensors and bytes after each of `count` runs; the first two may still fill tables. */
function counts(count: number, work: () => void): { tensors: Set<number>; bytes: Set<number> } {
  const [tensors, bytes] = [new Set<number>(), new Set<number>()]
  for (let i = 0; i < count; i++) {
    work()
    if (i < 2) continue
    tensors.add(memoryStats().liveTensors)
    bytes.add(memoryStats().liveBytes)
  }
  return { tensors, bytes }
}

describe('live tensors', () => {
  const model = scope(() => loadDecoder(fixture))
  model.trainable()
  const isFlat = ({ tensors, bytes }: ReturnType<typeof counts>): void =>
    expect([tensors.size, bytes.size]).toEqual([1, 1])

  it('are flat over training steps', () => isFlat(counts(50, () => trainStep(model))))

  it('are flat with gradient checkpointing, dropout and bf16', () => {
    model.gradientCheckpointing = true
    model.generator = new Generator(1)
    isFlat(counts(50, () => autocast('bf16', () => trainStep(model))))
    model.gradientCheckpointing = false
    model.generator = null
  })

  it('are flat over generated sequences', () => isFlat(counts(20, () => generate(model))))

  it('are flat over steps that fail', () => {
    isFlat(
      counts(20, () => {
        expect(() => scope(() => model.forward({ inputIds: Tensor.from([1, 10_000], [1, 2], 'i64') }))).toThrow(
          /out of range/,
        )
      }),
    )
  })

  it('are none after the model is freed', () => {
    const before = memoryStats()
    model.free()
    const after = memoryStats()
    expect(after.liveTensors).toBeLessThan(before.liveTensors)
    expect(after.liveTensors).toBe(0)
    expect(after.liveBytes).toBe(0)
  })
})
