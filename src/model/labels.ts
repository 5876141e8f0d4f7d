// The labels of a classifier in config.json, in encoders and decoders alike: their names, and how many of them a text may have.

import { type ConfigFields, isNumber, isObject, type JsonObject, type JsonValue } from './config-fields.ts'

/** Transformers' names for how many labels a text may have: one, or any number of them. */
export const PROBLEM_TYPES = ['single_label_classification', 'multi_label_classification'] as const

/** How many labels a text may have. */
export type ProblemType = (typeof PROBLEM_TYPES)[number]

/** What a head of labels is to be, whatever the file says. */
export interface LabelWish {
  /** By id. */
  readonly labels?: readonly string[]
  readonly problemType?: ProblemType
}

/** The labels in the order of their ids; two without names of their own where the file has none, as in Transformers. */
export function readLabels(fields: ConfigFields): string[] {
  const names = fields.raw('id2label')
  fields.raw('label2id')
  const count = fields.optionalInteger('num_labels', { min: 1, max: 100_000 }) ?? 2
  if (names === null) return Array.from({ length: count }, (_, id) => `LABEL_${id}`)
  if (!isObject(names)) return fields.fail('id2label', 'names of labels by their ids', names)
  const length = Object.keys(names).length
  const nameOf = (id: number): string => {
    const name: JsonValue | undefined = names[String(id)]
    return typeof name === 'string'
      ? name
      : fields.fail('id2label', `a name for each id from 0 to ${length - 1}`, names)
  }
  return Array.from({ length }, (_, id) => nameOf(id))
}

/**
 * Probabilities from which a text has a label, by id, where it may have any number of them: `label_thresholds` of the file, a key of
 * ours that Transformers leaves alone, or one half each. Null where a text has one label.
 */
export function readLabelThresholds(
  fields: ConfigFields,
  labels: readonly string[],
  problemType: ProblemType | undefined,
): readonly number[] | null {
  const given = fields.raw('problem_type')
  const kind = problemType ?? given ?? 'single_label_classification'
  if (!PROBLEM_TYPES.includes(kind as ProblemType))
    fields.refuse('problem_type', PROBLEM_TYPES.join(' or '), given, 'A classifier gives labels, not numbers.')
  const isShare = (entry: JsonValue): entry is number => isNumber(entry) && entry >= 0 && entry <= 1
  const thresholds = fields.list('label_thresholds', 'probabilities', isShare)
  if (kind === 'single_label_classification') return null
  return thresholds?.length === labels.length ? thresholds : labels.map(() => 0.5)
}

/** What is kept of a configuration that is written with other labels, or none. */
export function withoutLabelKeys(json: JsonObject): JsonObject {
  const { id2label: _, label2id: __, num_labels: ___, problem_type: ____, label_thresholds: _____, ...kept } = json
  return kept
}

/** `id2label` and what goes with it; nothing without labels. `thresholds` are those of {@link readLabelThresholds}, undefined where the labels are of tokens. */
export function labelKeys(labels: readonly string[], thresholds: readonly number[] | null | undefined): JsonObject {
  if (labels.length === 0) return {}
  const problemType: ProblemType = thresholds ? 'multi_label_classification' : 'single_label_classification'
  return {
    id2label: Object.fromEntries(labels.map((label, id) => [String(id), label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    ...(thresholds !== undefined && { problem_type: problemType }),
    ...(thresholds?.some((threshold) => threshold !== 0.5) && { label_thresholds: [...thresholds] }),
  }
}
