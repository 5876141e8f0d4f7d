// The labels of a classifier in config.json, in encoders and decoders alike.

import { type ConfigFields, isObject, type JsonObject, type JsonValue } from './config-fields.ts'

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

/** What is kept of a configuration that is written with other labels, or none. */
export function withoutLabelKeys(json: JsonObject): JsonObject {
  const { id2label: _, label2id: __, num_labels: ___, problem_type: ____, ...kept } = json
  return kept
}

/** `id2label` and what goes with it; nothing without labels. */
export function labelKeys(labels: readonly string[], isClassifier: boolean): JsonObject {
  if (labels.length === 0) return {}
  return {
    id2label: Object.fromEntries(labels.map((label, id) => [String(id), label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    ...(isClassifier && { problem_type: 'single_label_classification' }),
  }
}
