// A worker thread that does jobs: it is given the settings once, then job after job, and answers with manifests.

import { parentPort, workerData } from 'node:worker_threads'
import { describeError, exitCodeOf } from '../../errors.ts'
import { Mapper } from './map-job.ts'
import type { Job, MapSettings } from './settings.ts'

const { settings, out } = workerData as { settings: MapSettings; out: string }
const mapper = Mapper.create(settings)

parentPort!.on('message', async (job: Job) => {
  try {
    let bytes = 0
    const manifest = await (await mapper).run(job, out, (more) => {
      bytes += more
      if (bytes < 1 << 19) return
      parentPort!.postMessage({ progress: bytes })
      bytes = 0
    })
    parentPort!.postMessage({ progress: bytes, manifest })
  } catch (error) {
    parentPort!.postMessage({
      error: {
        message: describeError(error).replace(/^error: /, ''),
        exitCode: exitCodeOf(error),
        name: (error as Error).name,
        stack: (error as Error).stack,
      },
    })
  }
})
