// The knowledge base of therapies: what a counsellor of a type does, stage by stage.

import { readRows } from '../../data/read/sources.ts'
import { InputError, UsageError } from '../../errors.ts'
import { THERAPIES_EN } from './therapies-en.ts'
import { THERAPIES_ZH } from './therapies-zh.ts'
import type { Therapy } from './therapy.ts'
import type { Language } from './turns.ts'

/** Therapies by their type. */
export class KnowledgeBase {
  readonly therapies: readonly Therapy[]

  /** InputError where there is none, or two have one type. */
  constructor(therapies: readonly Therapy[]) {
    if (therapies.length === 0) throw new InputError('knowledge: expected at least one therapy, got none')
    const types = therapies.map(({ type }) => type)
    const twice = types.find((type, i) => types.indexOf(type) < i)
    if (twice !== undefined)
      throw new InputError(`knowledge: expected each type once, got ${JSON.stringify(twice)} twice`)
    this.therapies = therapies
  }

  get types(): readonly string[] {
    return this.therapies.map(({ type }) => type)
  }

  /** UsageError where the type is not known. */
  retrieve(type: string): Therapy {
    const found = this.therapies.find((therapy) => therapy.type === type)
    if (found === undefined)
      throw new UsageError(`type: expected ${this.types.join(', ')}, got ${JSON.stringify(type)}`)
    return found
  }
}

/** The ten types of the paper's Table 3, in words of our own. */
export const therapies: (language: Language) => KnowledgeBase = (language) =>
  new KnowledgeBase(language === 'zh' ? THERAPIES_ZH : THERAPIES_EN)

/**
 * Reads a knowledge base of one's own: rows {type, stages} with `name`, `school` and `about` where they are to be said. InputError, with
 * file and line, at a row without a type or stages.
 */
export async function readKnowledge(paths: string | readonly string[]): Promise<KnowledgeBase> {
  const found: Therapy[] = []
  for await (const { row, id } of readRows(paths, { maxBadFraction: 0 })) {
    const fields = typeof row === 'string' ? {} : row
    const place = `${id.file}:${id.line}`
    const text = (name: string, otherwise?: string): string => {
      const value = fields[name] ?? otherwise
      if (typeof value === 'string' && (value !== '' || otherwise === '')) return value
      throw new InputError(
        `therapy in ${place}, field '${name}': expected a text, got ${JSON.stringify(value) ?? 'nothing'}`,
      )
    }
    const { stages } = fields
    if (
      !Array.isArray(stages) ||
      stages.length === 0 ||
      stages.some((stage) => typeof stage !== 'string' || stage === '')
    )
      throw new InputError(
        `therapy in ${place}, field 'stages': expected a list of texts, got ${JSON.stringify(stages)?.slice(0, 60) ?? 'nothing'}`,
      )
    const type = text('type')
    found.push({
      type,
      name: text('name', type),
      school: text('school', ''),
      about: text('about', ''),
      stages: stages as string[],
    })
  }
  return new KnowledgeBase(found)
}
