// A model's answers on tape: recorded once, played from then on, so that tests ask nobody.

import { existsSync, truncateSync } from 'node:fs'
import { InputError, UsageError } from '../../errors.ts'
import { appendLine } from '../../files/append-line.ts'
import { readBounded } from '../../files/bounded-read.ts'
import { checkOutputFile } from '../../files/output-file.ts'
import { parseJson } from '../../files/read-json.ts'
import { canonical, differenceOf } from './call-difference.ts'
import { isFields, isListOf } from './is-answer.ts'
import { type Hold, type Model, modelOf } from './model.ts'
import type { ModelCall, ModelPiece } from './model-call.ts'
import { note } from './trace.ts'

const VERSION = 1
const MOST_BYTES = 1 << 30

/** What was asked, without seed and signal, and what came. */
interface Take {
  kind: 'answer' | 'embed' | 'score'
  asked: unknown
  seed?: number | undefined
  pieces?: ModelPiece[]
  /** Nobody listened to the end. */
  isCut?: boolean
  numbers?: number[][]
}

/**
 * A model whose answers come from a file. With a `model`, what the file does not have is asked of it and added; without one, it is a
 * UsageError that tells where the nearest recorded call differs. Seeds matter where an equal call was recorded with the same one; else
 * equal calls get the recorded answers one after another, whatever else is asked in between.
 *
 * @example
 * const model = cassette('test/answers.jsonl', process.env.RECORD ? connect(url, options) : undefined)
 */
export function cassette(file: string, model?: Model): Model {
  const { name, holds, continues, takes } = opened(file, model)
  const unused = new Set(takes)
  const equal = new Map<string, Take[]>()
  const textOf = (kind: Take['kind'], asked: unknown): string => `${kind} ${canonical(asked)}`
  const list = (take: Take): void => {
    const text = textOf(take.kind, take.asked)
    const same = equal.get(text)
    if (same === undefined) equal.set(text, [take])
    else same.push(take)
  }
  takes.forEach(list)
  const find = (kind: Take['kind'], asked: unknown, seed?: number): Take | undefined => {
    const same = equal.get(textOf(kind, asked)) ?? []
    const found =
      (seed === undefined ? undefined : same.find((take) => take.seed === seed)) ??
      same.find((take) => unused.has(take))
    if (found !== undefined) {
      unused.delete(found)
      note('cassette', { take: takes.indexOf(found) })
      return found
    }
    if (model !== undefined) return undefined
    if (same.length > 0)
      throw new UsageError(
        `${file}: expected an equal call ${same.length === 1 ? 'once' : `${same.length} times`}, as often as it is recorded, got one more. Record it again`,
      )
    const others = takes.filter((take) => take.kind === kind).map((take) => take.asked)
    throw new UsageError(`${file}: expected a call that is recorded, got another: ${differenceOf(asked, others)}`)
  }
  const keep = (take: Take): void => {
    appendLine(file, JSON.stringify(take))
    takes.push(take)
    list(take)
  }
  async function* answer(call: ModelCall): AsyncGenerator<ModelPiece, void, undefined> {
    const { signal, seed: any, drawnSeed, ...asked } = call
    const seed = any === drawnSeed ? undefined : any // one that nobody gave is another each time
    const take = find('answer', asked, seed)
    if (take === undefined) {
      yield* recorded(model!.answer(call), (pieces, isCut) =>
        keep({ kind: 'answer', asked, seed, pieces, ...(isCut && { isCut }) }),
      )
      return
    }
    for (const piece of take.pieces ?? []) {
      signal?.throwIfAborted()
      yield piece
    }
    if (take.isCut)
      throw new UsageError(`${file}: expected nobody to listen beyond what is recorded, got more. Record it again`)
  }
  const numbers = async (
    kind: 'embed' | 'score',
    asked: unknown,
    ask: () => Promise<readonly ArrayLike<number>[]>,
  ): Promise<number[][]> => {
    const take = find(kind, asked)
    if (take !== undefined) return take.numbers ?? []
    const found = (await ask()).map((row) => Array.from(row))
    keep({ kind, asked, numbers: found })
    return found
  }
  return modelOf({
    ...(model ?? {}),
    name,
    holds,
    continues,
    answer,
    ...((model === undefined || model.embed !== undefined) && {
      embed: async (texts: readonly string[], options?: { signal?: AbortSignal }) =>
        (await numbers('embed', texts, () => model!.embed!(texts, options))).map((row) => Float32Array.from(row)),
    }),
    ...((model === undefined || model.score !== undefined) && {
      score: async ({ signal: _, seed: __, drawnSeed: ___, ...call }: ModelCall, texts: readonly string[]) =>
        (await numbers('score', { call, texts }, async () => [await model!.score!(call, texts)]))[0]!.map(
          (score) => score ?? Number.NEGATIVE_INFINITY, // JSON has no infinity
        ),
    }),
  })
}

/** What the file says of its model. */
interface Head {
  name: string
  holds: Hold
  continues: boolean
}

/** What stands in the file; made anew where there is none and a model to record. */
function opened(file: string, model: Model | undefined): Head & { takes: Take[] } {
  if (!existsSync(file)) {
    if (model === undefined)
      throw new InputError(`${file}: expected a recording, got nothing. Give a model, and its answers are recorded`)
    checkOutputFile(file, 'cassette')
    const { name, holds, continues } = model
    appendLine(file, JSON.stringify({ anneal_cassette: VERSION, name, holds, ...(continues && { continues }) }))
  }
  const lines = wholeLines(file, model !== undefined)
  const [head, ...rest] = lines.map((line, i) => parseJson(line, `${file}:${i + 1}`))
  if (!isHead(head)) throw new InputError(`${file}: expected a recording of version ${VERSION}, got another file`)
  const { name, holds, continues = false } = head
  // Of two processes that began it at the same time, both have written how it begins.
  const takes = rest.filter((one, i) => {
    if (!isTake(one) && !isHead(one))
      throw new InputError(`${file}:${i + 2}: expected a recorded call, got ${lines[i + 1]!.slice(0, 60)}`)
    return !isHead(one)
  })
  if (model !== undefined && model.name !== name)
    throw new UsageError(`${file}: expected model ${name}, which it is a recording of, got ${model.name}`)
  return { name, holds, continues, takes: takes as Take[] }
}

/** The lines of a recording. What a process that was killed has left of its last one is told, and taken away where more is recorded. */
function wholeLines(file: string, isRecorded: boolean): string[] {
  const bytes = readBounded(file, MOST_BYTES)
  const whole = bytes.lastIndexOf(10) + 1
  const last = bytes.toString('utf8', whole)
  const lines = bytes.toString('utf8', 0, whole).split('\n').slice(0, -1)
  if (last === '') return lines
  if (whole === 0 || isJson(last)) return [...lines, last]
  process.emitWarning(`${file}: left out the last recording, of which ${last.length} characters were written`, 'AnnealCassetteWarning') // biome-ignore format: a line
  if (isRecorded) truncateSync(file, whole)
  return lines
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const isHead = (line: unknown): line is Omit<Head, 'continues'> & Partial<Head> =>
  isFields(line) &&
  line.anneal_cassette === VERSION &&
  typeof line.name === 'string' &&
  ['masks', 'json_schema', 'none'].includes(String(line.holds))

function isTake(line: unknown): boolean {
  if (!isFields(line) || !('asked' in line)) return false
  const { kind, pieces, numbers } = line
  const isPiece = (piece: unknown): boolean =>
    isFields(piece) && isListOf(piece.deltas, isFields) && isListOf(piece.tokenIds, Number.isInteger)
  if (kind === 'answer') return isListOf(pieces, isPiece)
  return (kind === 'embed' || kind === 'score') && isListOf(numbers, Array.isArray)
}

/** Pieces as they come, kept when they are over or nobody listens any more; not where the model fails. */
async function* recorded(
  pieces: AsyncIterable<ModelPiece>,
  keep: (pieces: ModelPiece[], isCut: boolean) => void,
): AsyncGenerator<ModelPiece, void, undefined> {
  const made: ModelPiece[] = []
  let hasFailed = false
  try {
    for await (const piece of pieces) {
      made.push(piece)
      yield piece
    }
  } catch (error) {
    hasFailed = true
    throw error
  } finally {
    if (!hasFailed) keep(made, made.at(-1)?.finishReason === undefined)
  }
}
