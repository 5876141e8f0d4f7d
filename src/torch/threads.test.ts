import { spawnSync } from 'node:child_process'
import { platform } from 'node:os'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { setThreads } from './index.ts'
import { threadsFor, withWaitPolicy } from './threads.ts'

describe('threadsFor', () => {
  it.each<[number, Record<string, string | undefined>, number, number]>([
    [8, {}, 8, 16], // physical cores of a machine with two threads each
    [2, {}, 8, 2], // a container of two processors on it
    [16, {}, 1, 16], // Debian's LibTorch
    [1, { OMP_NUM_THREADS: '1' }, 1, 16],
    [1, { OMP_NUM_THREADS: '1' }, 8, 16],
    [4, { OMP_NUM_THREADS: '4,2' }, 2, 2], // by level; and more than there are, if asked for
    [2, { OMP_NUM_THREADS: '' }, 8, 2],
    [2, { OMP_NUM_THREADS: 'x' }, 8, 2], // OpenMP says so itself and goes on
    [3, { ANNEAL_THREADS: '3', OMP_NUM_THREADS: '1' }, 8, 2],
    [5, { ANNEAL_THREADS: '', OMP_NUM_THREADS: '5' }, 8, 2],
  ])('%i for %o, LibTorch %i, processors %i', (threads, environment, libtorch, processors) => {
    expect(threadsFor(environment, libtorch, processors)).toBe(threads)
  })

  it.each(['0', '-1', '1.5', 'many', '1e9'])('refuses ANNEAL_THREADS=%s', (given) => {
    expect(() => threadsFor({ ANNEAL_THREADS: given }, 1, 1)).toThrow(UsageError)
    expect(() => threadsFor({ ANNEAL_THREADS: given }, 1, 1)).toThrow(
      `ANNEAL_THREADS: expected an integer from 1 to 1024, got "${given}"`,
    )
  })

  it('refuses more threads than any machine has before OpenMP ends the process over them', () => {
    expect(() => setThreads(100_000)).toThrow('threads: expected an integer from 1 to 1024, got 100000')
  })
})

describe('withWaitPolicy', () => {
  it('says how long to spin while the engine loads, and leaves the environment as it was', () => {
    const environment: NodeJS.ProcessEnv = { OMP_WAIT_POLICY: '' }
    expect(withWaitPolicy(() => environment.GOMP_SPINCOUNT, environment)).toBe('1000')
    expect(environment).toEqual({ OMP_WAIT_POLICY: '' })
    expect(() =>
      withWaitPolicy(() => {
        throw new Error('no engine')
      }, environment),
    ).toThrow('no engine')
    expect(environment.GOMP_SPINCOUNT).toBeUndefined()
  })

  it.each([{ OMP_WAIT_POLICY: 'active' }, { GOMP_SPINCOUNT: '7' }])('leaves %o to the user', (given) => {
    const environment: NodeJS.ProcessEnv = { ...given }
    expect(withWaitPolicy(() => ({ ...environment }), environment)).toEqual(given)
    expect(environment).toEqual(given)
  })
})

/** Starts the engine in a process of its own: threads, and the settings that OpenMP says it has taken. */
function engine(environment: Record<string, string>): { threads: number; environment: string[]; openmp: string } {
  const { ANNEAL_THREADS: _, OMP_NUM_THREADS: __, OMP_WAIT_POLICY: ___, GOMP_SPINCOUNT: ____, ...rest } = process.env
  const script =
    `const { engineInfo } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)})\n` +
    'const names = Object.keys(process.env).filter((name) => /^(?:OMP_WAIT|GOMP)/.test(name))\n' +
    'console.log(JSON.stringify({ threads: engineInfo().threads, environment: names }))'
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script],
    { env: { ...rest, OMP_DISPLAY_ENV: 'VERBOSE', ...environment }, encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
  return { ...JSON.parse(stdout), openmp: stderr }
}

describe('the engine', () => {
  it.each<[Record<string, string>, number, string]>([
    [{ OMP_NUM_THREADS: '3' }, 3, "GOMP_SPINCOUNT = '1000'"],
    [{ OMP_NUM_THREADS: '1', OMP_WAIT_POLICY: 'passive' }, 1, "GOMP_SPINCOUNT = '0'"],
    [{ OMP_NUM_THREADS: '3', ANNEAL_THREADS: '2', GOMP_SPINCOUNT: '77' }, 2, "GOMP_SPINCOUNT = '77'"],
  ])('takes the threads and the waiting of %o, and hides nothing in the environment', (given, threads, waiting) => {
    const found = engine(given)
    expect(found.threads).toBe(threads)
    if (platform() === 'linux') expect(found.openmp).toContain(waiting)
    expect(found.environment).toEqual(Object.keys(given).filter((name) => /^(?:OMP_WAIT|GOMP)/.test(name)))
  })
})
