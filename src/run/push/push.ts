// A folder or GGUF file → a repository on the hub: what goes is chosen and checked, the card is made where there is none, and all of it is one commit.
import { statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { check } from '../../check/check.ts'
import { readRows } from '../../data/read/sources.ts'
import { InputError, UsageError } from '../../errors.ts'
import { holdsRows } from '../../hub/dataset-splits.ts'
import { COMMIT, type HubName, parseHubName } from '../../hub/hub-name.ts'
import type { HubContext } from '../../hub/hub-request.ts'
import { hubSettings } from '../../hub/hub-settings.ts'
import { type Remote, type UploadFile, type UploadPlan, upload } from '../../hub/upload.ts'
import { amount } from '../../report/amounts.ts'
import { eventsOf, type Watch, type WorkEvent } from '../../work.ts'
import { cardToPush } from './card-to-push.ts'
import { describePush, kindOfPush, type PushKind } from './describe-push.ts'
import { filesToPush, type LeftOut } from './files-to-push.ts'
import { findLocalPaths, tellLocalPaths } from './find-local-paths.ts'
import { findSecrets, type Secret } from './find-secrets.ts'
import { readCard } from './push-card.ts'
import { staleWeights } from './stale-weights.ts'

/** What is pushed where. */
export interface PushOptions extends Partial<Pick<HubContext, 'settings' | 'pause'>> {
  /** A folder with a model, adapter, GGUF files or a dataset, or one GGUF file. */
  path: string
  /** `ORG/NAME`. */
  to: string
  /** Branch; default `main`. */
  revision?: string | undefined
  /** First line of the commit's message. */
  message?: string | undefined
  /** Makes the repository, and the branch, where they are not there. */
  create?: boolean | undefined
  /** Makes it for its owners alone. */
  private?: boolean | undefined
  /** Of the card's metadata, where it names none: `apache-2.0`. */
  license?: string | undefined
  /** Takes checkpoints with the state of their optimizer along, lines that could not be read, and pickles. */
  all?: boolean | undefined
  /** Says what would go, and asks nobody. */
  dryRun?: boolean | undefined
  /** Lets go what looks like tokens, keys and passwords, and is none. */
  allowSecrets?: boolean | undefined
  signal?: AbortSignal | undefined
}

/** The result's keys are those that programs read. */
export interface PushResult {
  kind: PushKind
  repo: string
  /** Of the commit; null where the hub had all of it, or in a dry run. */
  commit: string | null
  url: string | null
  files: readonly { path: string; size: number }[]
  left_out: readonly LeftOut[]
  /** Weights on the hub that those which went replace under other names. */
  deleted: readonly string[]
  /** Bytes that went now. */
  sent: number
}

/** Rows of each file of a dataset that are read before it is pushed. */
const CHECKED_ROWS = 1000
const SHOWN = 5
const SHOWN_SECRETS = 50

/**
 * Pushes. InputError, before anybody is asked, where `check` finds an error, UsageError where a text holds a token; HubError for what the hub or the network does:
 * nothing is committed then, and what went is not sent again.
 *
 * @example
 * const { url } = await resultOf(push({ path: 'runs/chats', to: 'org/chats', create: true, private: true }))
 */
export function push(options: PushOptions): AsyncGenerator<WorkEvent, PushResult> {
  return eventsOf((watch) => run(options, watch), { signal: options.signal })
}

async function run(options: PushOptions, watch: Watch): Promise<PushResult> {
  const { path, all = false } = options
  const notice = (message: string): void => watch.tell?.({ type: 'notice', message })
  const name = targetOf(options)
  const { files: found, leftOut } = chosen(path, all)
  const kind = kindOfPush(path, found)
  const isEmpty = ({ path, size }: UploadFile): boolean => kind === 'dataset' && size === 0 && holdsRows(path)
  const files = found.filter((file) => !isEmpty(file))
  for (const { path: empty } of found.filter(isEmpty)) leftOut.push({ path: empty, reason: 'an empty file' })
  for (const { path: left, reason } of leftOut) notice(`${left} stays here: ${reason}`)
  watch.tell?.({ type: 'started', work: 'push', message: `checking ${path}` })
  await refuseSecrets(path, files, options.allowSecrets ?? false, watch)
  await checkAll(path, kind, files, watch)
  const others = findLocalPaths(files.filter(({ path }) => path !== 'README.md'))
  const isFolder = statSync(path).isDirectory()
  const own = isFolder ? readCard(path) : undefined
  const beside = isFolder ? undefined : readCard(dirname(path), `${basename(path)}.md`)
  const facts = describePush(path, kind, files, { repo: name.repo, licence: options.license })
  for (const message of facts.notices) notice(message)
  const plan = (there: string | undefined): UploadFile[] => {
    const { card, notices } = cardToPush(facts, { repo: name.repo, own, beside, there, licence: options.license })
    const going = withCard(card, files)
    const places = new Map([...findLocalPaths(going.filter(({ path }) => path === 'README.md')), ...others])
    for (const message of [...notices, ...tellLocalPaths(places)]) notice(message)
    return going
  }
  const resultOf = (going: readonly UploadFile[]): Pick<PushResult, 'kind' | 'repo' | 'files' | 'left_out'> => ({
    kind,
    repo: name.repo,
    files: going.map(({ path, size }) => ({ path, size })),
    left_out: leftOut,
  })
  if (options.dryRun) {
    const going = plan(undefined)
    const lines = [
      ...going.map(({ path, size }) => `${amount(size, 'bytes').padStart(9)}  ${path}`),
      `would go to ${options.to} as one commit: ${counted(going)}. A README.md that is there already stays, where the folder has none`,
    ]
    const result = { ...resultOf(going), deleted: [], commit: null, url: null, sent: 0 }
    watch.tell?.({ type: 'result', result, lines })
    return result
  }
  const context: HubContext = {
    settings: options.settings ?? hubSettings(),
    watch,
    ...(options.pause && { pause: options.pause }),
  }
  const message = options.message ?? `Upload ${kind === 'gguf' ? 'GGUF' : kind} with Anneal`
  let going: UploadFile[] = []
  const prepare = async ({ files: there, read }: Remote): Promise<UploadPlan> => {
    going = plan(await read('README.md'))
    const paths = (all: readonly { path: string }[]): string[] => all.map(({ path }) => path)
    const deleted = staleWeights(paths(going), paths(there))
    if (deleted.length > 0)
      notice(`${deleted.join(', ')} on the hub ${deleted.length === 1 ? 'is' : 'are'} deleted: what goes replaces them`)
    return { files: going, deleted }
  }
  const { commit, url, committed, deleted, sent } = await upload(
    name,
    facts.type,
    files,
    { message, create: options.create, isPrivate: options.private, prepare },
    context,
  )
  const isNew = committed.length + deleted.length > 0
  const result = { ...resultOf(going), deleted, commit: isNew ? commit : null, url, sent }
  const lines = [
    isNew
      ? `${counted(going)}, of which ${amount(sent, 'bytes')} went now, as commit ${commit.slice(0, 7)} of ${options.to}`
      : `${options.to} has all of it already: nothing to commit`,
    url,
  ]
  watch.tell?.({ type: 'result', result, lines })
  return result
}

function counted(going: readonly UploadFile[]): string {
  const bytes = going.reduce((sum, { size }) => sum + size, 0)
  return `${going.length === 1 ? 'one file' : `${going.length} files`}, ${amount(bytes, 'bytes')}`
}

function targetOf({ to, revision, private: isPrivate, create, license, message }: PushOptions): HubName {
  const name = parseHubName(to)
  if (name.part !== undefined)
    throw new UsageError(
      `to: expected ORG/NAME, got ${JSON.stringify(to)} with a part of it. Leave out what stands behind the colon`,
    )
  if (revision !== undefined && name.revision !== 'main')
    throw new UsageError(`revision: expected it once, got ${to} and ${revision}`)
  if (license !== undefined && !/^[a-z0-9][a-z0-9.+-]{0,59}$/i.test(license))
    throw new UsageError(
      `license: expected an identifier of the hub, such as apache-2.0, got ${JSON.stringify(license)}. Other licences stand in README.md: license: other, license_name, license_link`,
    )
  if (message !== undefined && message.trim() === '')
    throw new UsageError(
      'message: expected the first line of the commit message, got nothing. Leave it out, or write one',
    )
  if (COMMIT.test(revision ?? name.revision))
    throw new UsageError(
      `to: expected a branch after @, got a commit, to which nothing can be added. Leave it out, or name a branch`,
    )
  if (isPrivate && !create)
    throw new UsageError('private: expected `create` with it, got it alone. A repository that is there stays as it is')
  return parseHubName(revision === undefined ? to : `${name.repo}@${revision}`)
}

function chosen(path: string, all: boolean): { files: UploadFile[]; leftOut: LeftOut[] } {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status?.isDirectory()) return filesToPush(path, all)
  if (status?.isFile() && /\.gguf$/i.test(path))
    return { files: [{ path: basename(path), source: path, size: status.size }], leftOut: [] }
  throw new InputError(
    `${path}: expected a folder or a .gguf file to push, got ${status === undefined ? 'nothing. Check the path' : 'another file. Put it into a folder with what belongs to it (config.json and tokenizer.json beside weights), and push that'}`,
  )
}

/** UsageError, with all that was found, where a text holds what looks like a secret of some service. */
async function refuseSecrets(
  folder: string,
  files: readonly UploadFile[],
  isAllowed: boolean,
  { tell, signal }: Watch,
): Promise<void> {
  const found: Secret[] = []
  for (const { path, source } of files) found.push(...(await findSecrets(source as string, path, signal)))
  if (found.length === 0) return
  const shown = found.slice(0, SHOWN_SECRETS).map(({ path, line, shown }) => `${path}:${line} (${shown})`)
  const more = found.length > SHOWN_SECRETS ? ` and ${found.length - SHOWN_SECRETS} more` : ''
  const got = `what looks like ${found.length === 1 ? 'a token' : `${found.length} tokens, keys or passwords`}: ${shown.join(', ')}${more}`
  if (!isAllowed)
    throw new UsageError(
      `allowSecrets: expected no secrets in ${folder}, got ${got}. Remove them, and renew what others may have seen; where they are none, give \`allowSecrets\``,
    )
  tell?.({ type: 'notice', message: `${folder} goes with ${got}` })
}

/** What `anneal check` calls an error would be one for everybody who downloads it. */
async function checkAll(path: string, kind: PushKind, files: readonly UploadFile[], watch: Watch): Promise<void> {
  if (kind === 'dataset') {
    const more: string[] = []
    for (const { path: name, source } of files)
      if (holdsRows(name) && (await checkRows(source as string))) more.push(name)
    if (more.length > 0)
      watch.tell?.({
        type: 'notice',
        message: `of ${more.length === 1 ? more[0] : `${more.length} files`} the first ${CHECKED_ROWS} rows were looked at, and no others`,
      })
    return
  }
  const places =
    kind === 'gguf' ? files.filter(({ path }) => /\.gguf$/i.test(path)).map(({ source }) => source as string) : [path]
  for (const place of places) {
    const findings = await check(place)
    const errors = findings.filter(({ severity }) => severity === 'error')
    for (const { where, message } of findings.filter(({ severity }) => severity === 'warning'))
      watch.tell?.({ type: 'notice', message: `check: ${where}: ${message}` })
    if (errors.length === 0) continue
    const shown = errors.slice(0, SHOWN).map(({ where, message }) => `${where}: ${message}`)
    const more = errors.length > SHOWN ? `, and ${errors.length - SHOWN} more` : ''
    throw new InputError(
      `${place}: expected files without faults, got ${shown.join('; ')}${more}. Mend them (anneal check ${place} lists all), and push then`,
    )
  }
}

/** Whether there may be more than was looked at. */
async function checkRows(file: string): Promise<boolean> {
  let rows = 0
  for await (const _ of readRows(file)) if (++rows > CHECKED_ROWS) return true
  return false
}

/** The files with a card among them; without one where that on the hub stays. */
function withCard(card: string | undefined, files: readonly UploadFile[]): UploadFile[] {
  const others = files.filter(({ path }) => path !== 'README.md')
  if (card === undefined) return others
  const source = Buffer.from(card)
  return [...others, { path: 'README.md', source, size: source.length }].sort((a, b) => (a.path < b.path ? -1 : 1))
}
