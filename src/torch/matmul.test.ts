// What multiplies matrices in training is chosen once in a process, so each choice gets a process of its own.
import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { engineInfo } from './device.ts'

interface Found {
  matmul: string
  /** Norms of y, dx and dW's errors relative to theirs, against f64. */
  errors: number[]
  sameForThreads: boolean
}

// 203 rows and 301 × 211 weights: no dimension is a multiple of a tile; 301 and 1,101 are summed in one turn and in several.
const SCRIPT = `
const { backward, engineInfo, Generator, ops, scope, setThreads } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)})
const generator = new Generator(1)
const make = (...sizes) => ops.normal_(ops.empty(sizes, 'f32'), 0, 1, generator)
const gradients = (x, weight, seed) => {
  x.requiresGrad = weight.requiresGrad = true
  const y = ops.linear(x, weight)
  backward(y, seed)
  return [y.detach(), x.grad, weight.grad]
}
const errors = []
let sameForThreads = true
for (const [rows, K, out] of [[203, 301, 211], [211, 1101, 203]]) scope(() => {
  const values = [make(rows, K), make(out, K), make(rows, out)]
  const wanted = gradients(values[0].to('f64'), values[1].to('f64'), values[2].to('f64'))
  const of = (threads) => {
    setThreads(threads)
    return gradients(...values.map((value) => value.clone()))
  }
  const got = of(1)
  errors.push(...got.map((value, i) => value.to('f64').sub(wanted[i]).norm().item() / wanted[i].norm().item()))
  of(3).forEach((value, i) => { sameForThreads &&= ops.equal(value, got[i]) })
})
console.log(JSON.stringify({ matmul: engineInfo().matmul, errors, sameForThreads }))`

function multiply(matmul: string): { found: Found | undefined; error: string } {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', SCRIPT],
    { env: { ...process.env, ANNEAL_MATMUL: matmul }, encoding: 'utf8' },
  )
  return { found: status === 0 ? JSON.parse(stdout) : undefined, error: stderr }
}

describe('products of float32 matrices', () => {
  // Three bf16 products leave about 2⁻¹⁸, six less than the sums of float32 do.
  it.each([
    ['mkl', 1e-6],
    ['onednn', 1e-6],
    ['bf16x6', 3e-7],
    ['bf16x3', 1e-5],
  ])('are by %s within %f of f64', (matmul, bound) => {
    const { found, error } = multiply(matmul)
    if (found === undefined) return expect(error).toContain('as far as this processor and LibTorch have them')
    expect(found.matmul).toBe(matmul)
    expect(found.errors).toHaveLength(6)
    for (const value of found.errors) expect(value).toBeLessThan(bound)
    if (matmul === 'bf16x3') for (const value of found.errors) expect(value).toBeGreaterThan(1e-6) // it is that one
    if (matmul.startsWith('bf16')) expect(found.sameForThreads).toBe(true)
  })

  it('are by what is there unless another is asked for, and by nothing unknown', () => {
    expect(multiply('').found?.matmul).toBe(multiply(engineInfo().matmul).found?.matmul)
    expect(multiply('fast').error).toContain('ANNEAL_MATMUL: expected mkl, onednn, bf16x3 or bf16x6')
  })
})
