// A task with its documents: what its fields say of one of them. Errors name the task, the document and the field.

import { InputError } from '../errors.ts'
import { type ReadOptions, readSplits } from './documents.ts'
import { pythonLiteral } from './python-literal.ts'
import {
  brief,
  type Doc,
  type DocField,
  type FewshotConfig,
  type GenerationKwargs,
  type OutputType,
  type Splits,
  type TaskConfig,
} from './task-config.ts'
import { renderField } from './template.ts'

/** The answer that a document wants: a text, a place among its choices, or several of either. */
export type Target = string | number | readonly (string | number)[]

/** A task that is ready to ask. Documents are in the order of the data. */
export class Task {
  readonly config: TaskConfig
  readonly outputType: OutputType
  readonly docs: readonly Doc[]
  /** What few-shot examples are drawn from. */
  readonly shots: readonly Doc[]
  readonly numFewshot: number
  /** Whether examples come from the documents that are asked about, so that each must leave itself out. */
  readonly drawsFromItself: boolean
  /** As lm-eval decides them by the first document: a text that is a choice's number, and more than one right answer. */
  readonly hasManyInputs: boolean
  readonly hasManyTargets: boolean
  readonly #features: ReadonlySet<string>

  constructor(config: TaskConfig, splits: Splits, { numFewshot }: { numFewshot?: number | undefined } = {}) {
    this.config = config
    this.outputType = config.output_type ?? 'generate_until'
    const process = config.process_docs ?? ((docs) => docs)
    const asked = config.test_split ?? config.validation_split!
    this.docs = this.#processed(process, splits[asked]!)
    if (this.docs.length === 0)
      throw new InputError(`task ${config.task}: split '${asked}': expected documents, got none`)
    this.#features = new Set(Object.keys(this.docs[0]!))
    // Zero in the file stays zero, as there: such a task has no examples.
    this.numFewshot = config.num_fewshot === 0 ? 0 : (numFewshot ?? config.num_fewshot ?? 0)
    const { split = config.fewshot_split, samples, process_docs } = config.fewshot_config ?? {}
    const from = split ?? config.training_split ?? config.validation_split ?? config.test_split!
    this.drawsFromItself = split === config.test_split
    const pool =
      this.numFewshot === 0
        ? []
        : split === undefined && samples !== undefined
          ? samples
          : this.#processed(process_docs ?? process, splits[from] ?? [])
    this.shots = pool
    const first = this.docs[0]!
    this.hasManyInputs = config.doc_to_choice !== undefined && typeof this.text(first, 0) === 'number'
    this.hasManyTargets = Array.isArray(this.target(first, 0))
  }

  get name(): string {
    return this.config.task
  }

  #processed(process: (docs: readonly Doc[]) => readonly Doc[], docs: readonly Doc[]): readonly Doc[] {
    try {
      return process(docs)
    } catch (cause) {
      if (cause instanceof InputError) throw cause
      throw new InputError(`task ${this.config.task}: process_docs failed: ${(cause as Error).message}`, { cause })
    }
  }

  /** The question. With choices, a number says which of them it is. */
  text(doc: Doc, id: number, field: DocField<string | number> | undefined = this.config.doc_to_text): string | number {
    const where = this.#where(id, 'doc_to_text')
    if (field === undefined) return ''
    const value = this.#field(field, doc, where)
    if (typeof value === 'number') return value
    if (typeof value !== 'string') throw new InputError(`${where}: expected a text, got ${brief(value)}`)
    return this.config.doc_to_choice !== undefined && isTemplate(field, this.#features) && /^\d+$/.test(value)
      ? Number(value)
      : value
  }

  target(doc: Doc, id: number, field: TaskConfig['doc_to_target'] = this.config.doc_to_target): Target {
    if (typeof field === 'number') return field
    if (field === undefined) return ''
    if (Array.isArray(field)) return field as readonly string[]
    const where = this.#where(id, 'doc_to_target')
    const value = this.#field(field as DocField<unknown>, doc, where)
    if (typeof value !== 'string') {
      if (typeof value === 'number' || Array.isArray(value)) return value as Target
      if (typeof value === 'boolean') return Number(value)
      throw new InputError(`${where}: expected the right answer, got ${brief(value)}`)
    }
    if (!isTemplate(field as DocField<unknown>, this.#features)) return value
    if (this.config.doc_to_choice !== undefined && /^\d+$/.test(value)) return Number(value)
    if (value.startsWith('[') && value.endsWith(']')) {
      const list = pythonLiteral(value)
      if (Array.isArray(list)) return list
    }
    return value
  }

  choices(doc: Doc, id: number, field: TaskConfig['doc_to_choice'] = this.config.doc_to_choice): readonly string[] {
    const where = this.#where(id, 'doc_to_choice')
    let value: unknown = field
    if (typeof field === 'string' || typeof field === 'function') {
      value = this.#field(field as DocField<unknown>, doc, where)
      if (typeof value === 'string') value = pythonLiteral(value) ?? value
    } else if (typeof field === 'object' && !Array.isArray(field)) value = Object.values(field)
    if (!Array.isArray(value) || value.length === 0)
      throw new InputError(`${where}: expected a list of at least one choice, got ${brief(value)}`)
    const wrong = value.findIndex((choice) => typeof choice !== 'string' || choice === '')
    if (wrong !== -1)
      throw new InputError(
        `${where}: expected choices that are texts and not empty, got ${brief(value[wrong])} as choice ${wrong}`,
      )
    return value
  }

  /** What `description` or `gen_prefix` says of a document; a field's name or a template. */
  extra(source: string | undefined, doc: Doc, id: number, key: string): string {
    if (source === undefined || source === '') return ''
    const value = Object.hasOwn(doc, source) ? doc[source] : renderField(source, doc, this.#where(id, key))
    return typeof value === 'string' ? value : String(value)
  }

  get targetDelimiter(): string {
    return this.config.target_delimiter ?? ' '
  }

  get fewshotDelimiter(): string {
    return this.config.fewshot_delimiter ?? '\n\n'
  }

  get fewshot(): FewshotConfig {
    return this.config.fewshot_config ?? {}
  }

  get repeats(): number {
    return Math.max(1, this.config.repeats ?? 1)
  }

  get generation(): GenerationKwargs {
    const given = this.config.generation_kwargs
    if (given === undefined) return { until: [this.fewshotDelimiter], do_sample: false, temperature: 0 }
    return { ...given, until: given.until ?? [this.fewshotDelimiter] }
  }

  #field(field: DocField<unknown>, doc: Doc, where: string): unknown {
    if (typeof field === 'function') {
      try {
        return field(doc)
      } catch (cause) {
        throw new InputError(`${where}: the task's function failed: ${(cause as Error).message}`, { cause })
      }
    }
    // A table's column may lack a name; an empty template names none.
    if (field === '') return ''
    return Object.hasOwn(doc, field) && this.#features.has(field) ? doc[field] : renderField(field, doc, where)
  }

  #where(id: number, key: string): string {
    return `task ${this.config.task}, document ${id}, ${key}`
  }
}

const isTemplate = (field: DocField<unknown>, features: ReadonlySet<string>): boolean =>
  typeof field === 'string' && (field === '' || !features.has(field))

/** Reads a task's documents. `numFewshot` holds where the file does not say 0. */
export async function loadTask(
  config: TaskConfig,
  { numFewshot, ...options }: ReadOptions & { numFewshot?: number | undefined } = {},
): Promise<Task> {
  const shots = config.num_fewshot === 0 ? 0 : numFewshot
  if (config.fewshot_config?.fewshot_indices !== undefined)
    options.notice?.(
      `task ${config.task}: fewshot_config.fewshot_indices is not used, as lm-eval 0.4.13 does not use it`,
    )
  const withShots = shots === undefined ? config : { ...config, num_fewshot: shots }
  return new Task(config, await readSplits(withShots, options), { numFewshot })
}
