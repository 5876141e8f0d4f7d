// All jobs, on as many threads as are wanted. What comes out does not depend on how many there are.

import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { AnnealError, DiskFullError, InputError, UsageError } from '../../errors.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { turn, type Watch } from '../../work.ts'
import { type JobManifest, WORK_FOLDERS } from './job-files.ts'
import { Mapper } from './map-job.ts'
import type { Job, MapSettings } from './settings.ts'

/** Where jobs write, and on how many threads. */
export interface MapOptions {
  out: string
  /** 1 works in this thread. */
  workers: number
  /** Bytes of the files as they are stored, read since the last call; of all jobs their sizes in the end. */
  progress?: (bytes: number) => void
}

/** Progress is told after so many bytes. */
export const TOLD_BYTES: number = 1 << 19

/** Does the jobs and returns their manifests in the order of the jobs. Throws the first error; what is done by then stays. */
export async function mapJobs(
  jobs: readonly Job[],
  settings: MapSettings,
  { out, workers, progress = () => {} }: MapOptions,
  watch: Watch = {},
): Promise<JobManifest[]> {
  const threads = Math.min(workers, jobs.length)
  if (threads > 1) return mapInWorkers(jobs, settings, out, threads, progress, watch)
  const mapper = await Mapper.create(settings)
  const manifests: JobManifest[] = []
  let bytes = 0
  const told = (more: number): void => {
    bytes += more
    if (bytes < TOLD_BYTES) return
    progress(bytes)
    bytes = 0
  }
  for (const job of jobs) {
    manifests.push(await mapper.run(job, out, told))
    await turn(watch)
  }
  progress(bytes)
  return manifests
}

type Answer =
  | { progress: number; manifest?: JobManifest }
  | { error: { message: string; exitCode: number; name: string; stack?: string } }

async function mapInWorkers(
  jobs: readonly Job[],
  settings: MapSettings,
  out: string,
  threads: number,
  progress: (bytes: number) => void,
  { signal }: Watch,
): Promise<JobManifest[]> {
  const manifests = new Array<JobManifest>(jobs.length)
  // The largest first, so that none is left alone at the end.
  const order = jobs.map((_, i) => i).sort((a, b) => jobs[b]!.size - jobs[a]!.size || a - b)
  const workers = Array.from({ length: threads }, () => startWorker({ settings, out }))
  try {
    await new Promise<void>((resolve, reject) => {
      let next = 0
      let open = jobs.length
      const abort = (): void => reject(signal!.reason)
      if (signal?.aborted) return abort()
      signal?.addEventListener('abort', abort, { once: true })
      for (const worker of workers) {
        let current = -1
        const give = (): void => {
          if (next === order.length) return
          current = order[next++]!
          worker.postMessage(jobs[current]!)
        }
        worker.on('message', (answer: Answer) => {
          if ('error' in answer) return reject(errorOf(answer.error))
          progress(answer.progress)
          if (answer.manifest === undefined) return
          manifests[current] = answer.manifest
          if (--open === 0) {
            signal?.removeEventListener('abort', abort)
            resolve()
          } else give()
        })
        worker.on('error', reject)
        worker.on('exit', (code) => {
          if (open > 0)
            reject(
              new AnnealError(
                `a worker thread ended with ${code} while jobs were left. Run the same command again to go on`,
              ),
            )
        })
        give()
      }
    })
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
    // One that was ended in the middle of a file has left it, perhaps on a full disk.
    for (const folder of WORK_FOLDERS) sweepLeftovers(join(out, folder), { own: true })
  }
  return manifests
}

function startWorker(workerData: object): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./map-worker.js', import.meta.url), { workerData })
  // Run from source, as tests do, a thread has to learn TypeScript first.
  const file = new URL('./map-worker.ts', import.meta.url).href
  // Found from this file: evaluated code looks for packages from the working directory.
  const tsx = import.meta.resolve('tsx/esm/api')
  const code = `import(${JSON.stringify(tsx)}).then(({ register }) => (register(), import(${JSON.stringify(file)})))`
  return new Worker(code, { eval: true, workerData, execArgv: [] })
}

function errorOf({
  message,
  exitCode,
  name,
  stack,
}: {
  message: string
  exitCode: number
  name: string
  stack?: string
}): Error {
  const error =
    exitCode === 2
      ? new UsageError(message)
      : exitCode === 3
        ? new InputError(message)
        : exitCode === 6
          ? new DiskFullError(message)
          : new Error(message)
  error.name = name
  if (stack !== undefined) error.stack = stack
  return error
}
