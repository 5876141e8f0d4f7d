// `anneal synth` as work: a configuration is opened, rows are made, or what would be asked is shown.

import { listFiles } from '../../data/read/files.ts'
import { readRows } from '../../data/read/sources.ts'
import { hashFile } from '../../files/hash.ts'
import { counted } from '../../report/amounts.ts'
import {
  type ComparedTexts,
  previewSynthesis,
  type SeedFile,
  type SynthesisPreview,
  type SynthesisResult,
  type SynthesizeOptions,
  synthesize,
} from '../../synth/index.ts'
import { readMadeRows } from '../../synth/row-files.ts'
import { refusalLines } from '../../synth/synthesize.ts'
import { textsIn } from '../../synth/texts-in.ts'
import { eventsOf, type Watch, type WorkEvent } from '../../work.ts'
import { resolveData } from '../resolve-data.ts'
import { saidInKeys } from '../train/in-keys.ts'
import type { SynthConfig } from './config.ts'
import { openTeacher, type TeacherPlace } from './open-teacher.ts'
import { openRecipe } from './recipes.ts'

/** What a run may do besides. */
export interface RunSynthOptions extends TeacherPlace {
  /** Makes the first so many rows, and tells what all would cost by them. */
  preview?: number | undefined
  signal?: AbortSignal | undefined
}

/** Keys of the configuration by the names that the library has for them. */
const KEYS: Readonly<Record<string, string>> = {
  maxCost: 'budget.cost',
  maxTokens: 'budget.tokens',
  maxCalls: 'budget.calls',
  timeoutSeconds: 'teacher.timeout_seconds',
  connect: 'teacher.url',
}

/** Makes rows as a configuration says. */
export async function* runSynth(
  config: SynthConfig,
  options: RunSynthOptions = {},
): AsyncGenerator<WorkEvent, SynthesisResult> {
  const { signal, preview, ...place } = options
  try {
    const opened = yield* eventsOf((watch) => open(config, watch, place), { signal })
    const asked = {
      ...opened,
      ...(preview !== undefined && { limit: preview }),
      ...(signal !== undefined && { signal }),
    }
    const events = synthesize(asked)
    for (;;) {
      const next = await events.next()
      if (next.done === true) return next.value
      if (next.value.type !== 'result' || preview === undefined) yield next.value
      else yield previewed(next.value.result as SynthesisResult, preview)
    }
  } catch (error) {
    throw saidInKeys(KEYS, error)
  }
}

/** What a synthesis would ask for its first rows, and about what all of it would cost; nothing is asked. */
export async function* checkSynth(
  config: SynthConfig,
  { signal, preview: rows = 3, ...place }: RunSynthOptions = {},
): AsyncGenerator<WorkEvent, SynthesisPreview> {
  try {
    const preview = yield* eventsOf(async (watch) => previewSynthesis(await open(config, watch, place), rows), {
      signal,
    })
    yield { type: 'result', result: preview, lines: linesOf(preview) }
    return preview
  } catch (error) {
    throw saidInKeys(KEYS, error)
  }
}

async function open(
  config: SynthConfig,
  watch: Watch,
  place: TeacherPlace,
): Promise<SynthesizeOptions<never, never, never>> {
  const { out, seed, concurrency, again, limit, scrub, batch, results, sampling, budget, teacher } = config
  const { max_tokens, temperature, top_p, stop } = sampling
  const seeds = await resolveData(config.seeds, watch)
  const test = await resolveData(config.test, watch)
  const opened = await openRecipe({ ...config, seeds, test }, watch)
  const { model, version } = await openTeacher(config, watch, place)
  const against: ComparedTexts[] = []
  for (const path of test) against.push({ name: path, texts: await rowTexts(path) })
  const seedFiles: SeedFile[] = listFiles(seeds).map((path) => ({ path, sha256: hashFile(path) }))
  return {
    ...{ ...opened, seeds: opened.seeds as readonly never[] },
    ...{ model, version, out, seed, concurrency, again, batch, results, against, seedFiles },
    scrub: {
      ...(scrub.seeds.length > 0 && { seeds: scrub.seeds }),
      ...(scrub.rows.length > 0 && { rows: scrub.rows }),
    },
    sampling: {
      ...(max_tokens !== undefined && { maxTokens: max_tokens }),
      ...(temperature !== undefined && { temperature }),
      ...(top_p !== undefined && { topP: top_p }),
      ...(stop !== undefined && { stop }),
    },
    ...(limit !== undefined && { limit }),
    ...(teacher.licence !== undefined && { licence: teacher.licence }),
    ...(budget.cost !== undefined && { maxCost: budget.cost }),
    ...(budget.tokens !== undefined && { maxTokens: budget.tokens }),
    ...(budget.calls !== undefined && { maxCalls: budget.calls }),
  }
}

/** All texts of each row. */
async function rowTexts(path: string): Promise<string[]> {
  const texts: string[] = []
  for await (const { row } of readRows([path])) texts.push(textsIn(row))
  return texts
}

/** The rows of a preview, and what all would cost at this rate. */
function previewed(result: SynthesisResult, shown: number): WorkEvent {
  const { out, seeds, spent, rows, rejected } = result
  const made = [...readMadeRows(out)].slice(0, shown).map((row) => JSON.stringify(row))
  const scale = seeds / Math.max(1, rows + rejected)
  const cost = spent.cost > 0 ? `, cost ${(spent.cost * scale).toFixed(4)}` : ''
  const tokens = Math.round((spent.promptTokens + spent.completionTokens) * scale)
  const estimate = `all ${seeds} seeds at this rate: about ${counted(Math.round(spent.calls * scale), 'call')}, ${counted(tokens, 'token')}${cost}; ${counted(rows, 'row')}${rejected === 0 ? '' : ` and ${counted(rejected, 'seed')} without one`} kept in ${out}`
  return {
    type: 'result',
    result: { ...result, preview: made.map((row) => JSON.parse(row) as unknown) },
    lines: [...made, ...refusalLines(result), estimate],
  }
}

/** Of what is asked once, before all rows: such as the style and the therapy of a case, which are asked of every case in the same words. */
const MOST_BEFORE = 2

function linesOf({ calls, rows, seeds, faults, estimate }: SynthesisPreview): string[] {
  const { completionTokens, cost } = estimate
  const answers =
    completionTokens === null
      ? 'answers of any length (set sampling.max_tokens)'
      : `at most ${completionTokens.toLocaleString('en')} of answers`
  const before = calls.filter(({ row }) => row === null)
  const shown = [...before.slice(0, MOST_BEFORE), ...calls.filter(({ row }) => row !== null)]
  const hidden = before.length - MOST_BEFORE
  return [
    ...shown.flatMap(({ row, messages }) => [
      `— ${row === null ? 'once, before all rows' : `row ${row}`}`,
      ...messages.map(
        ({ role, content }) => `${role}: ${typeof content === 'string' ? content : JSON.stringify(content)}`,
      ),
    ]),
    `calls of ${rows} of ${seeds} seeds, with made-up answers`,
    ...(hidden > 0 ? [`not shown are ${counted(hidden, 'more call')} that come before all rows`] : []),
    ...[...new Set(faults)].map((fault) => `not shown is what is asked after a made-up answer was refused: ${fault}`),
    `all ${seeds} seeds: about ${counted(estimate.calls, 'call')}, ${counted(estimate.promptTokens, 'token')} of prompts, ${answers}${cost === null ? '' : `, cost at most ${cost.toFixed(4)}`}`,
  ]
}
