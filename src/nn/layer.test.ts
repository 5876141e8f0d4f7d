import { describe, expect, it } from 'vitest'
import { memoryStats, ops, Tensor } from '../torch/index.ts'
import { Embedding } from './embedding.ts'
import { Layer } from './layer.ts'
import { Linear } from './linear.ts'
import { LayerNorm, RmsNorm } from './norm.ts'

class Block extends Layer {
  readonly norm: RmsNorm = new RmsNorm(ops.ones([2], 'f32'), 1e-6)
  proj: Layer = new Linear(Tensor.from([1, 2, 3, 4], [2, 2]), Tensor.from([0, 1]))
}

class Model extends Layer {
  embed_tokens: Layer = new Embedding(Tensor.from([1, 2, 3, 4, 5, 6], [3, 2]))
  layers: Layer[] = [new Block(), new Block()]
  readonly missing: Layer | null = null
  readonly width: number = 2
}

describe('Layer', () => {
  it('counts the weights that it computes with', () => {
    expect(new Model().weightCount).toBe(6 + 2 * (2 + 4 + 2))
  })

  it('walks the tree with the names of its slots', () => {
    expect([...new Model().walk()].map(([path]) => path)).toEqual([
      '',
      'embed_tokens',
      'layers.0',
      'layers.0.norm',
      'layers.0.proj',
      'layers.1',
      'layers.1.norm',
      'layers.1.proj',
    ])
  })

  it('names every parameter as a checkpoint does', () => {
    const model = new Model()
    expect([...model.parameters()].map(([path]) => path)).toEqual([
      'embed_tokens.weight',
      'layers.0.norm.weight',
      'layers.0.proj.weight',
      'layers.0.proj.bias',
      'layers.1.norm.weight',
      'layers.1.proj.weight',
      'layers.1.proj.bias',
    ])
    expect([...model.get('layers.1.proj').parameters()].map(([path]) => path)).toEqual(['weight', 'bias'])
  })

  it('finds every layer that it walks by its path', () => {
    const model = new Model()
    for (const [path, layer] of model.walk()) expect(model.get(path)).toBe(layer)
  })

  it('puts another layer in a slot, also in a list and below a list', () => {
    const model = new Model()
    const [linear, block, embedding] = [new Linear(ops.ones([2, 2])), new Block(), new Embedding(ops.ones([3, 2]))]
    model.replace('layers.1.proj', linear)
    model.replace('layers.0', block)
    model.replace('embed_tokens', embedding)
    expect([model.get('layers.1.proj'), model.layers[0], model.embed_tokens]).toEqual([linear, block, embedding])
    expect(model.layers).toHaveLength(2)
  })

  it('says which slot is missing', () => {
    const model = new Model()
    for (const path of ['layers.2', 'layers.0.mlp', 'layers', 'width', 'embed_tokens.weight', 'missing']) {
      expect(() => model.get(path), path).toThrow(`no layer at '${path}'`)
      expect(() => model.replace(path, new Block()), path).toThrow(`no layer at '${path}'`)
    }
    expect(() => model.get('layers.7.proj')).toThrow("no layer at 'layers.7.proj': layers.7 is missing")
    expect(() => model.replace('layers.7.proj', new Block())).toThrow(
      "no layer at 'layers.7.proj': layers.7 is missing",
    )
    expect(() => model.replace('', new Block())).toThrow("no layer at '' to replace")
  })

  it('frees every parameter once, shared ones too', () => {
    const before = memoryStats().liveTensors
    const model = new Model()
    expect(memoryStats().liveTensors).toBe(before + 7)
    model.layers.push(model.layers[0]!)
    model.free()
    expect(memoryStats().liveTensors).toBe(before)
  })
})

describe('layers', () => {
  it('compute what their formulas say', () => {
    const linear = new Linear(Tensor.from([1, 2, 3, 4, 5, 6], [3, 2]), Tensor.from([0.5, 0, -1]))
    expect([linear.inFeatures, linear.outFeatures]).toEqual([2, 3])
    expect(linear.forward(Tensor.from([1, 10], [1, 2]))).toBeAllclose([21.5, 43, 64])
    expect(linear.dense().storageId).toBe(linear.weight.storageId)

    const embedding = new Embedding(Tensor.from([1, 2, 3, 4], [2, 2]))
    expect(embedding.forward(Tensor.from([1, 0, 1], [1, 3], 'i64'))).toBeAllclose([3, 4, 1, 2, 3, 4])

    // (3, 4): root mean square √12.5; mean 3.5, deviation 0.5.
    const x = Tensor.from([3, 4], [1, 2])
    const root = Math.sqrt(12.5)
    expect(new RmsNorm(Tensor.from([1, 2]), 0).forward(x)).toBeAllclose([3 / root, 8 / root])
    expect(new RmsNorm(Tensor.from([1, 2]), 0, 1).forward(x)).toBeAllclose([6 / root, 12 / root])
    expect(new LayerNorm(Tensor.from([2, 3]), Tensor.from([10, 20]), 0).forward(x)).toBeAllclose([8, 23])
  })
})
