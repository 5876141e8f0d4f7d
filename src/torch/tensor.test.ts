import { describe, expect, it } from 'vitest'
import { NativeError } from '../errors.ts'
import { type DType, ops, Tensor } from './index.ts'

const matrix = (rows: number[][], dtype: DType = 'f32'): Tensor =>
  Tensor.from(rows.flat(), [rows.length, rows[0]!.length], dtype)

describe('arithmetic', () => {
  it('adds, subtracts, multiplies and divides with broadcasting', () => {
    const a = matrix([
      [1, 2],
      [3, 4],
    ])
    const row = Tensor.from([10, 20])
    expect(a.add(row)).toBeAllclose([11, 22, 13, 24])
    expect(a.sub(row)).toBeAllclose([-9, -18, -7, -16])
    expect(a.mul(row)).toBeAllclose([10, 40, 30, 80])
    expect(a.div(row)).toBeAllclose([0.1, 0.1, 0.3, 0.2])
    expect(a.add(0.5)).toBeAllclose([1.5, 2.5, 3.5, 4.5])
    expect(a.sub(1)).toBeAllclose([0, 1, 2, 3])
  })

  it('keeps integers integer with whole numbers and leaves them with fractions', () => {
    const counts = Tensor.from([1, 2, 3], [3], 'i64')
    expect(counts.mul(2).dtype).toBe('i64')
    expect(counts.mul(0.5).dtype).toBe('f32')
    expect(counts.mul(0.5)).toBeAllclose([0.5, 1, 1.5])
    expect(counts.div(2)).toBeAllclose([0.5, 1, 1.5])
  })

  it('works in place', () => {
    const a = Tensor.from([1, 2])
    a.add_(Tensor.from([10, 10]), 0.5)
    a.mul_(2)
    expect(a).toBeAllclose([12, 14])
    expect(a.zero_()).toBeAllclose([0, 0])
  })

  it('has the functions of formulas', () => {
    const x = Tensor.from([-1, 0, 2])
    expect(x.exp()).toBeAllclose([Math.exp(-1), 1, Math.exp(2)])
    expect(x.tanh()).toBeAllclose([Math.tanh(-1), 0, Math.tanh(2)])
    expect(x.sigmoid()).toBeAllclose([1 / (1 + Math.E), 0.5, 1 / (1 + Math.exp(-2))])
    expect(x.pow(2)).toBeAllclose([1, 0, 4])
    expect(x.neg().abs()).toBeAllclose([1, 0, 2])
    expect(ops.silu(x)).toBeAllclose([-1 / (1 + Math.E), 0, 2 / (1 + Math.exp(-2))])
    // gelu(x) = x Φ(x); Φ(2) = 0.977250, Φ(−1) = 0.158655
    expect(ops.gelu(x)).toBeAllclose([-0.158655, 0, 1.9545], { absolute: 2e-6 })
    expect(Tensor.from([0, -1, Number.NaN, Number.NEGATIVE_INFINITY]).sqrt()).toBeAllclose([
      0,
      Number.NaN,
      Number.NaN,
      Number.NaN,
    ])
  })

  it('multiplies matrices', () => {
    const a = matrix([[1, 2, 3]])
    const b = matrix([[1], [10], [100]])
    expect(a.matmul(b)).toBeAllclose([321])
    expect(b.matmul(a).shape).toEqual([3, 3])
    expect(
      ops.linear(
        a,
        matrix([
          [1, 1, 1],
          [0, 0, 2],
        ]),
        Tensor.from([0.5, -1]),
      ),
    ).toBeAllclose([6.5, 5])
  })
})

describe('reductions', () => {
  const x = matrix([
    [1, 2, 3],
    [4, 5, 9],
  ])
  it('sums and averages over everything or over dimensions', () => {
    expect(x.sum().item()).toBe(24)
    expect(x.sum(0)).toBeAllclose([5, 7, 12])
    expect(x.sum(-1, true).shape).toEqual([2, 1])
    expect(x.mean().item()).toBe(4)
    expect(x.mean([0, 1])).toBeAllclose([4])
    expect(x.max().item()).toBe(9)
    expect(x.argmax().item()).toBe(5)
    expect(x.argmax(0)).toBeAllclose([1, 1, 1])
    expect(Tensor.from([3, 4]).norm().item()).toBe(5)
  })
  it('normalises exponentials', () => {
    // softmax(0, ln 3) = (1/4, 3/4)
    const scores = Tensor.from([0, Math.log(3)])
    expect(scores.softmax()).toBeAllclose([0.25, 0.75])
    expect(scores.logSoftmax()).toBeAllclose([Math.log(0.25), Math.log(0.75)])
  })
})

describe('shapes', () => {
  const x = Tensor.from([0, 1, 2, 3, 4, 5], [2, 3])
  it('views the same memory in another shape', () => {
    expect(x.view(3, 2).storageId).toBe(x.storageId)
    expect(x.t().toArray()).toEqual([0, 3, 1, 4, 2, 5])
    expect(x.transpose(0, 1).contiguous().storageId).not.toBe(x.storageId)
    expect(x.narrow(1, 1, 2).toArray()).toEqual([1, 2, 4, 5])
    expect(x.select(0, 1).toArray()).toEqual([3, 4, 5])
    expect(x.chunk(3, 1).map((part) => part.toArray())).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
    expect(x.unsqueeze(1).shape).toEqual([2, 1, 3])
    expect(x.unsqueeze(1).squeeze(1).shape).toEqual([2, 3])
    expect(x.permute(1, 0).shape).toEqual([3, 2])
    expect(x.reshape(-1).shape).toEqual([6])
    expect(Tensor.from([7], [1, 1]).expand(2, 2).toArray()).toEqual([7, 7, 7, 7])
    expect(x.indexSelect(1, Tensor.from([2, 0], [2], 'i64')).toArray()).toEqual([2, 0, 5, 3])
  })
  it('tells its size, bytes and device', () => {
    expect([x.dim, x.numel, x.nbytes, x.size(-1), x.device]).toEqual([2, 6, 24, 3, 'cpu'])
    expect(ops.zeros([0, 3]).toArray()).toEqual([])
    expect(Tensor.from([5], []).shape).toEqual([])
  })
})

describe('dtypes', () => {
  it('carries typed arrays there and back unchanged', () => {
    const arrays = [
      new Float32Array([1.5, -0, Number.NaN, Number.POSITIVE_INFINITY]),
      new Float64Array([0.1, 1e300]),
      new BigInt64Array([2n ** 63n - 1n, -(2n ** 63n)]),
      new Int32Array([2 ** 31 - 1, -(2 ** 31)]),
      new Int16Array([-32768]),
      new Int8Array([-128, 127]),
      new Uint8Array([0, 255]),
    ]
    for (const array of arrays) {
      const back = Tensor.from(array).data()
      expect(back.constructor).toBe(array.constructor)
      expect(back).toEqual(array)
    }
  })

  it('takes a view into a larger buffer from its own offset', () => {
    const buffer = new Float32Array([1, 2, 3, 4])
    expect(Tensor.from(buffer.subarray(1, 3)).toArray()).toEqual([2, 3])
  })

  it('keeps the 16 bits of half precisions', () => {
    // 1.5 = 1.1b: f16 0x3e00, bf16 0x3fc0; −2: 0xc000 in both.
    const bits = { f16: [0x3e00, 0xc000], bf16: [0x3fc0, 0xc000] }
    for (const dtype of ['f16', 'bf16'] as const) {
      const half = Tensor.from(new Uint16Array(bits[dtype]), [2], dtype)
      expect(half.toArray()).toEqual([1.5, -2])
      expect(Array.from(half.data(), Number)).toEqual(bits[dtype])
      expect(Array.from(Tensor.from([1.5, -2]).to(dtype).data(), Number)).toEqual(bits[dtype])
    }
    // bf16 keeps 8 bits: 1 + 2⁻⁹ rounds to even.
    expect(
      Tensor.from([1 + 2 ** -9, 1 + 3 * 2 ** -9])
        .to('bf16')
        .toArray(),
    ).toEqual([1, 1 + 2 ** -7])
  })

  it('reads whole numbers of every width exactly', () => {
    expect(Tensor.from([2 ** 24 + 1], [1], 'i32').toArray()).toEqual([16777217])
    expect(Tensor.from([2 ** 52 + 1], [1], 'i64').toArray()).toEqual([2 ** 52 + 1])
  })

  it('makes every non-zero byte of a bool true', () => {
    const flags = Tensor.from(new Uint8Array([0, 1, 2, 255]), [4], 'bool')
    expect(Array.from(flags.data(), Number)).toEqual([0, 1, 1, 1])
    expect(ops.logicalNot(flags).toArray()).toEqual([1, 0, 0, 0])
    expect(flags.sum().item()).toBe(3)
  })

  it('reads raw bytes as any dtype, and no other array as what it is not', () => {
    const bytes = new Uint8Array(new Float32Array([1, 2]).buffer)
    expect(Tensor.from(bytes, [2], 'f32').toArray()).toEqual([1, 2])
    expect(() => Tensor.from(new Float32Array([1]), [1], 'i32')).toThrow(/Float32Array: expected dtype f32, got i32/)
    expect(() => Tensor.from(new Uint16Array([1]))).toThrow(/explicit dtype/)
    expect(() => Tensor.from([1.5], [1], 'bf16')).toThrow(/\.to\('bf16'\)/)
  })

  it('converts, and is itself where nothing changes', () => {
    const x = Tensor.from([0.9, -1.9, 3])
    expect(x.to('i32').toArray()).toEqual([0, -1, 3])
    expect(x.to('bool').toArray()).toEqual([1, 1, 1])
    expect(x.to('f32')).toBe(x)
    expect(x.to('cpu')).toBe(x)
  })
})

describe('errors', () => {
  it('names the operator and the shapes', () => {
    const [a, b] = [ops.ones([2, 3]), ops.ones([4, 5])]
    expect(() => a.matmul(b)).toThrow(NativeError)
    expect(() => a.matmul(b)).toThrow(/^aten::matmul\(\[2,3\] Float, \[4,5\] Float\): .*2x3 and 4x5/)
    try {
      ops.cat([a, b], 0)
      expect.unreachable()
    } catch (error) {
      expect((error as NativeError).op).toBe('aten::cat')
      expect((error as NativeError).shapes).toEqual(['[2,3] Float', '[4,5] Float'])
    }
  })
  it('says in one line what the fused operators expect', () => {
    const x = ops.ones([2, 8])
    expect(() => ops.rmsNorm(x, ops.ones([4]), 1e-6)).toThrow(
      /rms_norm\(\[2,8\] Float, \[4\] Float\): expected x \[\.\.\.,D\]/,
    )
    expect(() => ops.swiglu(x, ops.ones([2, 4]))).toThrow(/expected gate and up of one shape/)
    const heads = ops.ones([1, 3, 2, 8])
    for (const [cos, sin] of [
      [
        [3, 5],
        [3, 5],
      ],
      [
        [4, 4],
        [4, 4],
      ],
      [
        [3, 4],
        [3, 2],
      ],
      [
        [2, 3, 4],
        [2, 3, 4],
      ],
    ] as const) {
      expect(() => ops.rope(heads, ops.ones(cos), ops.ones(sin))).toThrow(/expected x \[B,T,H,D\] and cos, sin/)
    }
    expect(() => ops.linear(x, ops.ones([3, 8]), ops.ones([2]))).toThrow(NativeError)
    expect(() => ops.linear(x, ops.ones([3, 7]))).toThrow(NativeError)
  })
  it('refuses wrong sizes, fractions for integers, and indices out of range', () => {
    expect(() => Tensor.from([1, 2, 3], [2, 2])).toThrow(/expected 16 bytes .*got 12/)
    expect(() => Tensor.from([1], [-1])).toThrow(NativeError)
    expect(() => ops.ones([4]).narrow(0, 1.5, 1)).toThrow(/expected an integer/)
    expect(() => ops.ones([4]).view(Number.NaN)).toThrow(/expected an integer/)
    expect(() => ops.embedding(ops.ones([4, 2]), Tensor.from([4], [1], 'i64'))).toThrow(/out of range/)
    expect(() => ops.ones([2, 2]).item()).toThrow(NativeError)
  })
  it('leaves the engine usable', () => {
    for (let i = 0; i < 100; i++) expect(() => ops.ones([2]).matmul(ops.ones([3]))).toThrow()
    expect(ops.ones([2]).add(1)).toBeAllclose([2, 2])
  })
})
