// How many threads an operator of LibTorch takes, and how they wait for each other. What the user says holds; otherwise no more than
// the processors that this process may use.
import { UsageError } from '../errors.ts'

/** More is a slip of the finger: LibTorch would end the process when the system gives it no more threads. */
export const MAX_THREADS = 1024

/**
 * Threads for operators. `ANNEAL_THREADS`, else `OMP_NUM_THREADS` (its first number), else LibTorch's own count (the physical cores, where it
 * knows them; Debian's takes one, whatever the machine has), but no more than `processors`.
 */
export function threadsFor(
  environment: Readonly<Record<string, string | undefined>>,
  libtorch: number,
  processors: number,
): number {
  const { ANNEAL_THREADS: ours, OMP_NUM_THREADS: openmp } = environment
  if (ours) return checkThreads('ANNEAL_THREADS', Number(ours), ours)
  const asked = Number.parseInt(openmp ?? '', 10)
  if (asked >= 1) return Math.min(asked, MAX_THREADS)
  return libtorch === 1 ? processors : Math.min(libtorch, processors)
}

export function checkThreads(name: string, count: number, given: string | number = count): number {
  if (Number.isInteger(count) && count >= 1 && count <= MAX_THREADS) return count
  throw new UsageError(`${name}: expected an integer from 1 to ${MAX_THREADS}, got ${JSON.stringify(given)}`)
}

/**
 * GNU's OpenMP, which LibTorch brings on Linux, lets a thread that waits at the end of an operator spin for 300,000 rounds, milliseconds,
 * before it sleeps. While it spins for a thread that has no processor, it takes the processor that this one needs. 1,000 rounds are 20 to
 * 50 µs: beside one busy loop a processor, where half of the speed is a fair share, decoding keeps 42 % of it and training 53 %, against
 * 13 % and 27 % with OpenMP's own; on an idle machine that costs decoding about a sixth and training nearly a tenth
 * (bench/results/2026-11-26-busy.json, where 10,000 rounds kept 10 % and 34 %). That was measured while decoding ran on OpenMP's threads, too;
 * it has a pool of its own now (native/pool.h), so what is said of training is what still counts.
 */
const SPIN_ROUNDS = '1000'

/** Any of these says how to wait: then nothing is changed. */
const WAIT_VARIABLES = ['OMP_WAIT_POLICY', 'GOMP_SPINCOUNT'] as const

/**
 * Runs `load` with GNU OpenMP told how long to spin. It reads its variables from the process's environment once, when it is loaded, and that is
 * with the add-on; afterwards the environment is as before, so that programs started from here make their own choice. No effect where some
 * other add-on has loaded OpenMP already, nor in a worker thread, whose `process.env` is a copy: load the engine in the main thread first.
 */
export function withWaitPolicy<T>(load: () => T, environment: NodeJS.ProcessEnv = process.env): T {
  if (WAIT_VARIABLES.some((name) => environment[name])) return load()
  environment.GOMP_SPINCOUNT = SPIN_ROUNDS
  try {
    return load()
  } finally {
    delete environment.GOMP_SPINCOUNT
  }
}
