// Some bytes of a file on the hub, where the rest of it is not needed: what a model's header says is known without its gigabytes.
import { HubError } from '../errors.ts'
import type { RepoFile } from './cache.ts'
import { reasonOf } from './hub-faults.ts'
import { formatHubName } from './hub-name.ts'
import { backoff, type HubContext, hostOf, hubRequest, pauseFor, strangeAnswer, TRIES } from './hub-request.ts'
import { fileAddress, type Repository } from './repository.ts'

/** So much is read in vain of a server that begins every answer at the beginning; more of it would be the whole file, once for each range. */
const MOST_IN_VAIN = 8 << 20

/**
 * Bytes `[from, to)` of a file. HubError for what the hub or the network does, also where the range is not all there, is of another place or of a
 * file that is no longer as long as it was listed: shifted rows would be read as good ones.
 */
export async function readRange(
  repository: Repository,
  { path, size }: RepoFile,
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
    const fault =
      response.status === 206
        ? rangeFault(response.headers.get('content-range'), from + filled, size)
        : skip > MOST_IN_VAIN && `the whole file: ${hostOf(response.url)} knows no parts of files`
    if (fault) {
      await response.body?.cancel()
      throw new HubError(
        `${subject}: expected bytes ${from + filled} to ${to - 1} of ${size}, got ${fault}. Download the file whole (anneal pull), or check HF_ENDPOINT`,
      )
    }
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

/** What is wrong with `content-range`, where it is not of these bytes of this file. */
function rangeFault(header: string | null, from: number, size: number): string | undefined {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header ?? '') ?? []
  if (start === undefined) return `no word of which ones they are (content-range: ${header?.slice(0, 60) ?? 'none'})`
  if (Number(start) !== from) return `others, from ${start} on`
  if (total !== '*' && Number(total) !== size)
    return `those of a file of ${total} bytes, which has changed since it was listed`
  return undefined
}
