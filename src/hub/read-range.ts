// Some bytes of a file on the hub, where the rest of it is not needed: what a model's header says is known without its gigabytes.
import { HubError } from '../errors.ts'
import type { RepoFile } from './cache.ts'
import { reasonOf } from './hub-faults.ts'
import { formatHubName } from './hub-name.ts'
import { backoff, type HubContext, hubRequest, pauseFor, strangeAnswer, TRIES } from './hub-request.ts'
import { fileAddress, type Repository } from './repository.ts'

/** Bytes `[from, to)` of a file. HubError for what the hub or the network does, also where the range is not all there. */
export async function readRange(
  repository: Repository,
  { path }: RepoFile,
  from: number,
  to: number,
  context: HubContext,
): Promise<Buffer> {
  const address = fileAddress(repository, path, context)
  const subject = `${formatHubName({ ...repository.name, part: undefined })}:${path}`
  const bytes = Buffer.alloc(to - from)
  let filled = 0
  let failures = 0
  while (filled < bytes.length) {
    const before = filled
    const headers = { range: `bytes=${from + filled}-${to - 1}` }
    const { response, idle } = await hubRequest(address, { subject, headers }, context)
    if (/\bhtml\b/i.test(response.headers.get('content-type') ?? '')) {
      await response.body?.cancel()
      throw strangeAnswer(subject, address, 'bytes', response.headers)
    }
    // A server that knows no ranges begins at the beginning.
    let skip = response.status === 206 ? 0 : from + filled
    let cut: unknown = new Error('a connection that was cut')
    try {
      for await (const chunk of response.body ?? []) {
        idle()
        const rest = chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - rest.length
        const taken = rest.subarray(0, bytes.length - filled)
        bytes.set(taken, filled)
        filled += taken.length
        if (filled === bytes.length) break // which ends the answer
      }
    } catch (error) {
      context.watch?.signal?.throwIfAborted()
      cut = error
    }
    if (filled === bytes.length) break
    failures = filled > before ? 1 : failures + 1
    if (failures >= TRIES)
      throw new HubError(
        `${subject}: expected ${bytes.length} bytes from byte ${from}, got ${filled} and then ${reasonOf(cut)}. Try again`,
        { cause: cut },
      )
    await pauseFor(context, backoff(failures))
  }
  return bytes
}
