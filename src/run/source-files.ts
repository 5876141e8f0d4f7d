// What comes along from a model's source into a directory that is made of it, and the hash that names what it was made from.
import { join } from 'node:path'
import { copyCompanions } from '../checkpoint/model-directory/companions.ts'
import { hashWeights } from '../checkpoint/model-directory/hash-weights.ts'
import { openModelWeights } from '../checkpoint/model-directory/model-weights.ts'
import { hashFile, hashText } from '../files/hash.ts'
import { loadTokenizer } from './load-model.ts'
import { type ModelSource, placeOf } from './model-source.ts'

/** Brings tokenizer, sampling settings and licences: the topmost adapter's where it has some, else the base's. */
export async function bringCompanions(source: ModelSource, directory: string): Promise<void> {
  const { base, isGguf, adapters } = source
  for (const place of [...(isGguf ? [] : [base]), ...adapters.map((each) => each.directory)])
    copyCompanions(place, directory, ['licence'])
  for (const [kind, file] of [
    ['tokenizer', 'tokenizer.json'],
    ['generation', 'generation_config.json'],
  ] as const) {
    const place = placeOf(source, file)
    if (!(isGguf && place === base)) copyCompanions(place, directory, [kind])
    else if (kind === 'tokenizer') await (await loadTokenizer(source))?.save(directory)
  }
}

/** The files that the numbers of a model directory with its adapters come from. */
export function sourceWeights({ base, isGguf, adapters }: ModelSource): string[] {
  return [
    ...(isGguf ? [base] : [join(base, 'config.json'), ...openModelWeights(base).files]),
    ...adapters.flatMap(({ directory }) => [
      join(directory, 'adapter_config.json'),
      ...openModelWeights(directory, 'adapter_model').files,
    ]),
  ]
}

/** A hash of all that the numbers come from, adapters included; without adapters the base's own. */
export function hashAll(source: ModelSource): string {
  const { adapters } = source
  if (adapters.length === 0) return hashSource(source)
  const files = adapters.flatMap(({ directory }) => [
    join(directory, 'adapter_config.json'),
    ...openModelWeights(directory, 'adapter_model').files,
  ])
  return hashText([hashSource(source), ...files.map(hashFile)].join('\n'))
}

/** sha256 of the base's weights, which name it in lineage and journals. */
export function hashSource({ base, isGguf }: ModelSource): string {
  return isGguf ? hashFile(base) : hashWeights(base)
}
