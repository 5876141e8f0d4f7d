// What stands in the column of labels: one label, or several between separators or in a list. And labels that look like several.

import { InputError } from '../../errors.ts'

/** Where a field is, for messages. */
export interface FieldPlace {
  /** `file:line` */
  place: string
  column: string
}

/** What people put between labels, of which a file has one. */
const SEPARATORS = [',', ';', '|', '/', '+', '&', ' ']

/** The labels of a row; without `separator` it is one. InputError where there is none, or an empty one. */
export function labelsOfField(value: unknown, separator: string | undefined, { place, column }: FieldPlace): string[] {
  const where = `${place}, field '${column}'`
  if (separator === undefined) {
    if (isLabel(value)) return [String(value).trim()]
    const advice = Array.isArray(value)
      ? 'Texts that may have several labels are learnt with problem_type: multi_label_classification'
      : 'Leave the row out, or label it'
    throw new InputError(
      `${where}: expected a label, got ${value === '' ? 'an empty one' : JSON.stringify(value)}. ${advice}`,
    )
  }
  const parts: unknown[] = Array.isArray(value) ? value : typeof value === 'string' ? value.split(separator) : [value]
  const isEmpty = parts.length === 0 || (typeof value === 'string' && value.trim() === '')
  if (isEmpty)
    throw new InputError(`${where}: expected one label or more, got an empty list. Leave the row out, or label it`)
  for (const part of parts)
    if (!isLabel(part))
      throw new InputError(
        `${where}: expected labels${Array.isArray(value) ? '' : ` with ${JSON.stringify(separator)} between them`}, got ${JSON.stringify(value)}${typeof part === 'string' ? ', of which one is empty' : ''}. Correct the row`,
      )
  return parts.map((part) => String(part).trim())
}

function isLabel(value: unknown): boolean {
  return typeof value === 'string' ? value.trim() !== '' : typeof value === 'number' || typeof value === 'boolean'
}

/** A label that is others of the labels with something between them, such as `A;B` beside `A` and `B`; undefined where there is none. */
export function joinedLabel(
  labels: Iterable<string>,
): { label: string; parts: string[]; separator: string } | undefined {
  const known = new Set(labels)
  for (const label of known)
    for (const separator of SEPARATORS) {
      const parts = label.split(separator).map((part) => part.trim())
      if (parts.length > 1 && parts.every((part) => known.has(part))) return { label, parts, separator }
    }
  return undefined
}
