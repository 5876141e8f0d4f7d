// What was measured of a scorer, kept beside it under a hash of what it scores by: figures of another list, other weights or other labels are
// not its own.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { InputError } from '../errors.ts'
import { listsIn } from '../eval/toxicity/lexicons.ts'
import type { ScorerReport } from '../eval/toxicity/measure-scorer.ts'
import type { ScorerMeasurement } from '../eval/toxicity/scorer.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { ContentHash } from '../files/hash.ts'
import { readJsonFile } from '../files/read-json.ts'
import type { Watch } from '../work.ts'

/** Files of a classifier that its scores come from. */
const OF_CLASSIFIER = /\.(?:lid|safetensors|bin)$|^(?:config|tokenizer)\.json$/

/** Where it is kept: in the scorer's directory, or beside its list of words. */
export function measurementFile(name: string): string {
  const isFile = existsSync(name) && statSync(name).isFile()
  return isFile ? join(dirname(resolve(name)), `${basename(name)}.toxicity.json`) : join(name, 'toxicity.json')
}

/** Keeps a report; returns its file. */
export async function saveMeasurement(
  name: string,
  report: ScorerReport,
  toxicLabels: readonly string[] = [],
): Promise<string> {
  const file = measurementFile(name)
  const scorer = await fingerprint(name, toxicLabels)
  writeFileAtomic(file, `${JSON.stringify({ ...report, scorer_sha256: scorer }, null, 2)}\n`)
  return file
}

/** Undefined where nobody measured it, and, with a notice, where it was something else then. InputError for a file that is no measurement. */
export async function readMeasurement(
  name: string,
  toxicLabels: readonly string[],
  watch?: Watch,
): Promise<ScorerMeasurement | undefined> {
  const file = measurementFile(name)
  if (!existsSync(file)) return undefined
  const json = readJsonFile(file) as (Partial<ScorerMeasurement> & { scorer_sha256?: unknown }) | null
  if (typeof json?.auc !== 'number' || typeof json.texts !== 'number' || typeof json.languages !== 'object')
    throw new InputError(`${file}: expected auc, texts and languages, got something else. Measure the scorer again`)
  const { scorer_sha256: then, ...measured } = json
  if (then === undefined || then === (await fingerprint(name, toxicLabels))) return measured as ScorerMeasurement
  watch?.tell?.({
    type: 'notice',
    message: `${file} was measured of other words, weights or labels than ${name} has now, and is left out. Measure the scorer again`,
  })
  return undefined
}

async function fingerprint(name: string, toxicLabels: readonly string[]): Promise<string> {
  const hash = new ContentHash()
  if (statSync(name).isFile()) return (await hash.addFile(name)).digest()
  const isClassifier = existsSync(join(name, 'config.json'))
  const files = isClassifier
    ? readdirSync(name)
        .filter((file) => OF_CLASSIFIER.test(file))
        .sort()
    : []
  for (const file of files) await hash.add(file).addFile(join(name, file))
  for (const [language, list] of isClassifier ? [] : listsIn(name)) await hash.add(language).addFile(list)
  const labels = (toxicLabels.length > 0 ? toxicLabels : ['toxic']).map((label) => label.toLowerCase())
  return hash.add(...new Set(labels.sort())).digest()
}
