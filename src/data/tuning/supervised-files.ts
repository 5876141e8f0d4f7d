// Files of conversations, completions or texts → samples in memory with a report of what is in them. Random access over them gives
// batches, shuffled or packed, whose position is one number.

import { InputError, UsageError } from '../../errors.ts'
import { counted, percent } from '../../report/amounts.ts'
import { adviseTemplate } from '../../text/default-template.ts'
import { IGNORE_INDEX } from '../batch.ts'
import { type LengthReport, reportLengths } from '../length-report.ts'
import { type OnOverlong, refuseMany, shortened } from '../packing/overlong.ts'
import { type ExampleFileOptions, ExampleReader, guessShape } from '../rows/read-examples.ts'
import type { Shape, ShapeGuess } from '../rows/shapes.ts'
import type { Dataset, Sample } from '../sample.ts'
import { fractionFor, rankOf, type SplitOptions } from '../split.ts'
import { SampleStore } from './sample-store.ts'
import { SupervisedEncoder, type SupervisedOptions, supervisedTokens } from './supervised.ts'

/** What examples of every stage are read with. */
export interface TuningFileOptions extends SupervisedOptions, ExampleFileOptions {
  /** Tokens of the longest sample. */
  maxLength: number
  /** What happens to longer ones. Default `error-if-many`. */
  onOverlong?: OnOverlong
  /** Holds some examples out, told by their content alone. */
  validation?: SplitOptions
}

/** What was found in the files. */
export interface TuningReport {
  guess: ShapeGuess
  /** Rows of each shape, with those that are left out. */
  shapes: Partial<Record<Shape, number>>
  /** Rows with something to learn. */
  rows: number
  /** Tokens of all samples, and how many of them are learnt. */
  tokens: number
  supervisedTokens: number
  /** Lengths before anything was cut; of pairs, of the longer answer. */
  lengths: LengthReport
  /** Rows longer than the limit; of these, rows left out, and rows that lost a part of an answer. */
  overlong: number
  leftOut: number
  answersCut: number
  /** Tokens that end an answer and are learnt: what generation should stop at. */
  stopTokenIds: number[]
  /** Whether any of it was a chat, written as a chat template has it. */
  hasChats: boolean
  /** Lines for people: surprising, not fatal. */
  notices: string[]
}

/** Samples of supervised fine-tuning. */
export interface SupervisedData {
  train: Dataset<Sample>
  validation: Dataset<Sample>
  report: TuningReport
}

/**
 * Reads files and directories for supervised fine-tuning. Throws InputError at a row without anything to learn, when too many samples
 * are too long, and when no answer ends with a token that generation could stop at.
 */
export async function readSupervised(
  paths: string | readonly string[],
  options: TuningFileOptions,
): Promise<SupervisedData> {
  const encoder = new SupervisedEncoder(options)
  const reader = new ExampleReader(paths, { purpose: 'supervised', ...options })
  const tally = new Tally(paths, { purpose: 'supervised', ...options })
  const samples = new SampleStore()
  const { validation = { fraction: 0 }, onOverlong = 'error-if-many' } = options
  const sides = new Sides(validation)
  for await (const { example, place } of reader.examples()) {
    const sample = encoder.encode(example, place)
    const pieces = shortened(sample, options.maxLength, onOverlong, options.tokenizer.bosTokenId)
    tally.add(sample.ids.length, [sample], pieces, encoder, place)
    if (example.kind !== 'text') tally.hasAnswers = true
    for (const part of pieces) samples.add(part)
    sides.add(JSON.stringify(example), pieces.length)
  }
  tally.notices.push(...reader.notices(), ...encoder.notices(tally.files))
  return { ...sides.of(samples), report: await tally.report(reader.shapes) }
}

/** Which samples are held out. Few examples are held out by their order, since by chance it might be none. */
export class Sides {
  private readonly options: SplitOptions
  private readonly ranks: number[] = []
  private readonly rankOfSample: number[] = []

  constructor(options: SplitOptions) {
    this.options = options
  }

  /** An example of which `count` samples were stored; equal texts are on one side. */
  add(text: string, count: number): void {
    const rank = rankOf(text, this.options)
    this.ranks.push(rank)
    for (let i = 0; i < count; i++) this.rankOfSample.push(rank)
  }

  of<T>(samples: Dataset<T>): { train: Dataset<T>; validation: Dataset<T> } {
    const fraction = fractionFor(this.ranks, this.options.fraction)
    const view = (isHeld: boolean): Dataset<T> => {
      const indices = Uint32Array.from(this.rankOfSample.keys()).filter(
        (index) => this.rankOfSample[index]! < fraction === isHeld,
      )
      return { length: indices.length, get: (index) => samples.get(indices[index]!) }
    }
    return { train: view(false), validation: view(true) }
  }
}

/** Counts rows as they are read, and judges them at the end. */
export class Tally {
  /** Whether any row has an answer that should end. */
  hasAnswers = false
  private readonly paths: string | readonly string[]
  private readonly options: TuningFileOptions
  private readonly lengths: number[] = []
  private readonly stops = new Set<number>()
  private tokens = 0
  private supervised = 0
  private overlong = 0
  /** Where the longest row is, the first that is left out, and the first whose answer is cut. */
  private longest = { length: 0, place: '' }
  private firstLeftOut = ''
  private firstCut = ''
  private leftOut = 0
  private answersCut = 0
  private hasChats = false
  readonly notices: string[] = []

  constructor(paths: string | readonly string[], options: TuningFileOptions) {
    if (!Number.isInteger(options.maxLength) || options.maxLength < 2)
      throw new UsageError(`max_length: expected an integer of at least 2, got ${options.maxLength}`)
    this.paths = paths
    this.options = options
  }

  /** What is read, for messages. */
  get files(): string {
    return typeof this.paths === 'string' ? this.paths : this.paths.join(', ')
  }

  /** Rows counted so far. */
  get rows(): number {
    return this.lengths.length
  }

  /** Counts a row of `length` tokens: its samples as they were, and what is left of them. */
  add(
    length: number,
    before: readonly Sample[],
    after: readonly Sample[],
    encoder: SupervisedEncoder,
    place: string,
  ): void {
    this.hasChats = encoder.hasChats
    this.lengths.push(length)
    if (length > this.longest.length) this.longest = { length, place }
    const learnt = after.reduce((sum, sample) => sum + supervisedTokens(sample), 0)
    if (length > this.options.maxLength) {
      this.overlong++
      if (after.length === 0) {
        this.leftOut++
        this.firstLeftOut ||= place
      }
      // Splitting loses the first token of each piece only.
      else if (
        this.options.onOverlong !== 'split' &&
        learnt < before.reduce((sum, sample) => sum + supervisedTokens(sample), 0)
      ) {
        this.answersCut++
        this.firstCut ||= place
      }
    }
    this.supervised += learnt
    for (const sample of after) {
      this.tokens += sample.ids.length
      for (const id of endings(sample)) if (encoder.isStop(id)) this.stops.add(id)
    }
  }

  async report(shapes: ReadonlyMap<Shape, number>): Promise<TuningReport> {
    const { maxLength, onOverlong = 'error-if-many' } = this.options
    const { files } = this
    const lengths = reportLengths(this.lengths)
    if (onOverlong === 'error-if-many')
      refuseMany(this.overlong, lengths, maxLength, { files, longest: this.longest.place })
    if (this.leftOut === lengths.count) {
      throw new InputError(
        `data in ${files}: expected samples with something to learn within ${maxLength} tokens, got none of ${lengths.count}. ` +
          `Set max_length: ${lengths.suggestedMaxLength}`,
      )
    }
    this.judgeStops(files)
    const share = (count: number): string =>
      `${count} of ${counted(lengths.count, 'sample')} (${percent(count / lengths.count)})`
    const is = this.leftOut === 1 ? 'is' : 'are'
    if (this.leftOut > 0)
      this.notices.push(
        `${share(this.leftOut)} ${is} longer than ${maxLength} tokens and left out (the first: ${this.firstLeftOut})`,
      )
    if (this.answersCut > 0)
      this.notices.push(
        `${share(this.answersCut)} ${this.answersCut === 1 ? 'has' : 'have'} an answer cut at ${maxLength} tokens (the first: ${this.firstCut})`,
      )
    return {
      guess: await guessShape(this.paths, this.options),
      shapes: Object.fromEntries(shapes),
      rows: lengths.count,
      tokens: this.tokens,
      supervisedTokens: this.supervised,
      lengths,
      overlong: this.overlong,
      leftOut: this.leftOut,
      answersCut: this.answersCut,
      stopTokenIds: [...this.stops].sort((a, b) => a - b),
      hasChats: this.hasChats,
      notices: this.notices,
    }
  }

  private judgeStops(files: string): void {
    if (this.stops.size > 0) return
    const what = `data in ${files}: expected answers to end with a token to stop at, got none in ${counted(this.lengths.length, 'row')}`
    if (!this.hasAnswers) this.notices.push(`${what}: the tokenizer names no eos_token, so texts do not end`)
    else if (this.answersCut > 0)
      this.notices.push(`${what}: every answer is cut, so the model will not learn to stop. Raise max_length`)
    else {
      throw new InputError(
        `${what}, so the model would never stop. ${adviseTemplate('closes the turns of the assistant with a token of the tokenizer, such as <|im_end|> or its eos_token')}`,
      )
    }
  }
}

/** The last tokens of the stretches that are learnt. */
function* endings({ ids, labels }: Sample): Iterable<number> {
  for (let i = 0; i < ids.length; i++) {
    if (labels[i] !== IGNORE_INDEX && (i + 1 === ids.length || labels[i + 1] === IGNORE_INDEX)) yield ids[i]!
  }
}
