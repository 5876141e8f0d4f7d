// What of a folder goes to the hub, and what stays here, with the reason: secrets, hidden files, what only goes on training, leftovers and pickles.
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { hasPickleSuffix } from '../../checkpoint/model-directory/foreign-format.ts'
import { hasCode, InputError } from '../../errors.ts'
import type { UploadFile } from '../../hub/upload.ts'

/** A file or folder that stays here. */
export interface LeftOut {
  path: string
  reason: string
}

/** Whoever may read a repository may read these. */
const SECRET =
  /^(?:\.env(?:\..+)?|.+\.env|token(?:\.(?:json|txt))?|.*[_.-]token|(?:hf|hub|api|access|auth|github)[_.-]token\.(?:json|txt)|kaggle\.json|passwords?(?:\..+)?|stored_tokens|\.?netrc|_netrc|credentials(?:\..+)?|secrets?(?:\..+)?|id_(?:rsa|dsa|ecdsa|ed25519)|.+\.(?:pem|key|p12|pfx|keystore))$/i
/** What goes on training and nothing else. */
const STATE = /^(?:optimizer|scheduler|rng_state|scaler)\b.*|^training_args\.bin$/i
const CHECKPOINT = /^checkpoint-\d+$/
/** Beside the rows of a curation. */
const OF_CURATION: readonly string[] = ['plan.json', 'work', 'shards']
const MAX_FILES = 100_000

/** The files under `directory`, by name; `all` takes checkpoints, quarantine and pickles along, never secrets and hidden files. */
export function filesToPush(directory: string, all = false): { files: UploadFile[]; leftOut: LeftOut[] } {
  const files: UploadFile[] = []
  const leftOut: LeftOut[] = []
  const root = realpathSync(directory)
  const isCuration = OF_CURATION.every((name) => name === 'shards' || existsSync(join(root, name)))
  const walk = (folder: string, prefix: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${prefix}${entry.name}`
      const place = join(folder, entry.name)
      const isOfWork = !all && isCuration && prefix === '' && OF_CURATION.includes(entry.name)
      const reason =
        (isOfWork ? 'what the curation goes on from' : reasonToLeave(entry.name, entry.isDirectory(), all)) ??
        (entry.isDirectory() ? undefined : reasonOfKind(place, root))
      if (reason !== undefined) leftOut.push({ path: entry.isDirectory() ? `${path}/` : path, reason })
      else if (entry.isDirectory()) walk(place, `${path}/`)
      else files.push({ path, source: place, size: statSync(place).size })
      if (files.length > MAX_FILES) throw new InputError(`${directory}: expected at most ${MAX_FILES} files, got more`)
    }
  }
  walk(directory, '')
  return { files, leftOut }
}

function reasonToLeave(name: string, isFolder: boolean, all: boolean): string | undefined {
  if (SECRET.test(name)) return 'may hold a secret'
  if (name.startsWith('.')) return 'hidden'
  if (['__pycache__', 'node_modules'].includes(name)) return 'of programs'
  if (isFolder && name === 'wandb') return 'logs of Weights & Biases, which tell of this machine'
  if (all) return undefined
  if (!isFolder && /^events\.out\.tfevents\./.test(name)) return 'a log of TensorBoard, which names this machine'
  if (isFolder && CHECKPOINT.test(name)) return 'a checkpoint, with the state of its optimizer'
  if (isFolder && name === 'quarantine') return 'lines that could not be read'
  if (!isFolder && STATE.test(name)) return 'state of the training'
  return !isFolder && hasPickleSuffix(name) ? 'a pickle, which runs whatever program is in it' : undefined
}

/** Links stay in the folder, or in the cache that it is a part of: nobody publishes another file by chance. */
function reasonOfKind(place: string, root: string): string | undefined {
  let status: ReturnType<typeof statSync>
  try {
    status = statSync(place, { throwIfNoEntry: false })
  } catch (error) {
    if (hasCode(error, 'ELOOP')) return 'a link to itself'
    throw error
  }
  if (status === undefined) return 'a link to nothing'
  if (status.isDirectory()) return 'a link to a folder'
  if (!status.isFile()) return 'a device or pipe'
  const real = realpathSync(place)
  const blobs = join(dirname(dirname(root)), 'blobs')
  const isOwn = real.startsWith(root + sep) || (basename(dirname(root)) === 'snapshots' && real.startsWith(blobs + sep))
  return isOwn ? undefined : 'a link out of the folder'
}
