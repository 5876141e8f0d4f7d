// A model on the hub, checked by its headers: its small files whole, and of its weights the first bytes, laid into files that are as long and
// otherwise hollow, on which the same checks run as on a directory. What asks for values is left out, and that is said.
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { hasPickleSuffix } from '../checkpoint/model-directory/foreign-format.ts'
import { MAX_HEADER_BYTES } from '../checkpoint/safetensors/safetensors.ts'
import { HubError, InputError } from '../errors.ts'
import { readJsonFile } from '../files/read-json.ts'
import { HeaderCutError } from '../gguf/file-cursor.ts'
import { readGguf } from '../gguf/read.ts'
import { RepoCache, type RepoFile } from '../hub/cache.ts'
import { formatHubName, isHubName, parseHubName } from '../hub/hub-name.ts'
import type { HubContext } from '../hub/hub-request.ts'
import { hubSettings } from '../hub/hub-settings.ts'
import { downloadFiles, pull } from '../hub/pull.ts'
import { readRange } from '../hub/read-range.ts'
import { openRepository, type Repository } from '../hub/repository.ts'
import { shardsOf, wantedFiles } from '../hub/wanted-files.ts'
import { Count } from '../work.ts'
import { check } from './check.ts'
import type { Consumer, Finding } from './finding.ts'

/** What {@link checkName} found. */
export interface CheckedName {
  /** `ORG/NAME@commit`, with a file or quantization where one was named. */
  name: string
  findings: Finding[]
  /** Bytes that were read of the hub, and bytes that the model has. */
  read: number
  total: number
}

/** Most headers of safetensors are shorter; those of GGUF have the vocabulary in them. */
const FIRST_BYTES: number = 1 << 16
const FIRST_GGUF_BYTES = 1 << 20
const MAX_INDEX_BYTES = 64 << 20
const WEIGHTS = /\.(?:safetensors|gguf)$/i

/** Checks a model, adapter or GGUF file by its name on the hub. InputError where it is none of them; HubError for what the hub or the network does. */
export async function checkName(
  text: string,
  consumer?: Consumer,
  given: Partial<HubContext> = {},
): Promise<CheckedName> {
  const name = parseHubName(text)
  const context: HubContext = { ...given, settings: given.settings ?? hubSettings() }
  const repository = await openRepository(name, context)
  const pinned = formatHubName({ ...name, revision: repository.commit })
  // Without the hub there is what the cache has, which is checked whole.
  if (repository.isCached) {
    const { path, files } = await pull(name, context)
    return { name: pinned, findings: await check(path, consumer), read: 0, total: bytesOf(files) }
  }
  const root = mkdtempSync(join(tmpdir(), 'anneal-check-'))
  const folder = join(root, 'files')
  mkdirSync(folder)
  try {
    const hollow = new HollowCopy(repository, root, context)
    const { files, index, entry, aside } = wantedFiles(repository.files, name.part, text)
    if (entry !== undefined && files.some(({ path }) => path === entry) && !/\.gguf$/i.test(entry))
      throw new InputError(
        `${text}: expected a model to check, got one of its files. Check all of it: ${formatHubName({ ...name, part: undefined })}`,
      )
    const sides = files.filter(({ path }) => !WEIGHTS.test(path))
    await hollow.whole(sides)
    const shards =
      index === undefined
        ? []
        : shardsOf(readJsonFile(join(folder, index.path), MAX_INDEX_BYTES), index, repository.files, text)
    const weights = [...files.filter(({ path }) => WEIGHTS.test(path)), ...shards]
    await hollow.headers(weights)
    for (const { path } of repository.files)
      if (!path.includes('/') && hasPickleSuffix(path)) writeFileSync(join(folder, path), '', { flag: 'a' })
    const place = entry === undefined ? folder : join(folder, entry)
    const known = { headersOnly: true, isBaseThere: await hasBase(place, context) }
    const found = await check(place, consumer, known)
    const own = (words: string): string => words.replaceAll(`${folder}/`, '').replaceAll(folder, pinned)
    const findings = found.map((finding) => ({ ...finding, where: own(finding.where), message: own(finding.message) }))
    if (aside !== undefined) findings.push({ severity: 'warning', where: 'model.safetensors', message: aside, for: [] })
    return { name: pinned, findings, read: hollow.read, total: bytesOf([...sides, ...weights]) }
  } catch (error) {
    // Nobody knows the folder.
    if (error instanceof InputError) error.message = error.message.replaceAll(folder, pinned)
    throw error
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** Whether the adapter in `folder` names a base that the hub has. */
async function hasBase(folder: string, context: HubContext): Promise<boolean> {
  if (!existsSync(join(folder, 'adapter_config.json'))) return false
  try {
    const json = readJsonFile(join(folder, 'adapter_config.json')) as Record<string, unknown> | null
    const { base_model_name_or_path: base, revision } = json ?? {}
    if (typeof base !== 'string' || !isHubName(base)) return false
    await openRepository({ ...parseHubName(base), ...(typeof revision === 'string' && { revision }) }, context)
    return true
  } catch (error) {
    if (error instanceof InputError || error instanceof HubError) return false // which is a finding
    throw error
  }
}

/** Files of a commit in a folder that goes away again. */
class HollowCopy {
  /** Bytes that came. */
  read = 0
  readonly #repository: Repository
  readonly #folder: string
  readonly #cache: RepoCache
  readonly #context: HubContext

  constructor(repository: Repository, root: string, context: HubContext) {
    this.#repository = repository
    this.#folder = join(root, 'files')
    this.#cache = new RepoCache(join(root, 'cache'), repository.type, repository.name.repo)
    this.#context = context
  }

  /** Small files come whole: those that the cache has from there, others not into it, where a part of a snapshot looks like all of it. */
  async whole(files: readonly RepoFile[]): Promise<void> {
    const { cache, commit } = this.#repository
    const cached = files.filter((file) => cache.has(commit, file))
    const others = files.filter((file) => !cached.includes(file))
    for (const { path } of cached) cache.checkInside(commit, path)
    this.read += await downloadFiles({ ...this.#repository, cache: this.#cache }, others, this.#context)
    for (const file of files)
      symlinkSync((cached.includes(file) ? cache : this.#cache).pointer(commit, file.path), this.#place(file.path))
  }

  /** Of each its header, in a file of its length. */
  async headers(files: readonly RepoFile[]): Promise<void> {
    const label = 'reading headers'
    const count = new Count(this.#context.watch, { label, unit: 'files', total: files.length })
    for (const file of files) {
      const place = this.#place(file.path)
      const descriptor = openSync(place, 'wx')
      try {
        ftruncateSync(descriptor, file.size)
        if (/\.gguf$/i.test(file.path)) await this.#gguf(file, place, descriptor)
        else await this.#safetensors(file, descriptor)
      } finally {
        closeSync(descriptor)
      }
      count.add()
    }
  }

  async #safetensors(file: RepoFile, descriptor: number): Promise<void> {
    const start = await this.#bring(file, descriptor, 0, FIRST_BYTES)
    const length = start.length < 8 ? 0n : start.readBigUInt64LE()
    // A longer one than is read anywhere is a finding.
    if (length <= BigInt(MAX_HEADER_BYTES)) await this.#bring(file, descriptor, FIRST_BYTES, 8 + Number(length))
  }

  async #gguf(file: RepoFile, place: string, descriptor: number): Promise<void> {
    for (let had = 0, wanted = FIRST_GGUF_BYTES; had < file.size; ) {
      await this.#bring(file, descriptor, had, wanted)
      had = Math.min(wanted, file.size)
      try {
        readGguf(place, had)
        return
      } catch (error) {
        if (!(error instanceof InputError)) throw error
        if (!(error instanceof HeaderCutError)) return // which is a finding
        wanted = Math.max(had + (had >> 1), error.needed) + FIRST_GGUF_BYTES
      }
    }
  }

  async #bring(file: RepoFile, descriptor: number, from: number, to: number): Promise<Buffer> {
    const end = Math.min(to, file.size)
    if (end <= from) return Buffer.alloc(0)
    const bytes = await readRange(this.#repository, file, from, end, this.#context)
    writeSync(descriptor, bytes, 0, bytes.length, from)
    this.read += bytes.length
    return bytes
  }

  #place(path: string): string {
    const place = join(this.#folder, ...path.split('/'))
    mkdirSync(dirname(place), { recursive: true })
    return place
  }
}

function bytesOf(files: readonly { size: number }[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}
