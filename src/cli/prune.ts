// `anneal prune --model DIR --data PATH --ratio R --out DIR`: removes neurons and heads, and says what is left.
import type { Batch, BatchSource } from '../data/batch.ts'
import { UsageError } from '../errors.ts'
import {
  AGGREGATES,
  GROUP_KINDS,
  IMPORTANCES,
  LAYOUTS,
  type PruneOptions,
  RATIO_BASES,
  type ResolvedOptions,
  resolveOptions,
  SCOPES,
} from '../methods/prune/options.ts'
import type { LayerSizes, PruneReport } from '../methods/prune/prune.ts'
import type { Decoder } from '../model/decoder.ts'
import { printable } from '../printable.ts'
import { amount } from '../report/amounts.ts'
import { type Command, defineCommand, type Invocation, type OptionValues } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import type { Output } from './output.ts'

const OPTIONS = {
  model: { ...MODEL_OPTIONS.model, summary: 'model directory (Hugging Face layout)' },
  out: { kind: 'text', value: 'DIR', summary: 'folder for the smaller model', required: true },
  ratio: { kind: 'number', value: 'R', summary: 'share of parameters to remove, below 1', required: true },
  'ratio-of': {
    kind: 'choice',
    choices: RATIO_BASES,
    summary: 'of what: all blocks, the whole model, or the groups to choose from (LLM-Pruner)',
    default: 'blocks',
  },
  targets: { kind: 'choice', choices: ['all', ...GROUP_KINDS], summary: 'what is removed', default: 'all' },
  importance: {
    kind: 'choice',
    choices: IMPORTANCES,
    summary: 'how worth is judged; l2, l1 and random need no gradients and no statistics',
    default: 'taylor-element',
  },
  aggregate: {
    kind: 'choice',
    choices: AGGREGATES,
    summary: 'how the scores of matrices become one',
    default: 'sum',
  },
  scope: {
    kind: 'choice',
    choices: SCOPES,
    summary: 'the same share in every layer, or all layers compete (layout per-layer)',
    default: 'local',
  },
  layout: {
    kind: 'choice',
    choices: LAYOUTS,
    summary: 'aligned: all layers of one size, which any loader reads; per-layer: loads here',
    default: 'aligned',
  },
  align: { kind: 'integer', value: 'N', summary: 'MLPs keep a multiple of N neurons; 64, per-layer 1', min: 1 },
  'protect-first': { kind: 'integer', value: 'N', summary: 'layers left whole; per-layer 4 of 32, scaled', min: 0 },
  'protect-last': { kind: 'integer', value: 'N', summary: 'layers left whole; per-layer 2 of 32, scaled', min: 0 },
  steps: { kind: 'integer', value: 'N', summary: 'rounds, each with scores of its own', default: 1, min: 1, max: 1000 },
  compensate: { kind: 'flag', summary: 'put what was lost on average into biases; on for flap (--no-compensate)' },
  'gradient-gib': {
    kind: 'number',
    value: 'N',
    summary: 'memory for summed gradients; less takes more passes over the text',
    default: 8,
    min: 0,
  },
  data: { kind: 'list', value: 'PATH', summary: 'text to look at: files or folders', required: true },
  samples: { kind: 'integer', value: 'N', summary: 'windows of text to look at', default: 64, min: 1 },
  window: { kind: 'integer', value: 'N', summary: 'tokens in a window', default: 128, min: 2 },
  'batch-size': { kind: 'integer', value: 'N', summary: 'windows at once', default: 1, min: 1 },
  'text-column': { kind: 'text', value: 'NAME', summary: 'field that holds the text', default: 'text' },
  seed: { kind: 'integer', value: 'S', summary: 'same seed, same windows', default: 0, min: 0 },
  device: MODEL_OPTIONS.device,
  dtype: MODEL_OPTIONS.dtype,
  threads: MODEL_OPTIONS.threads,
} as const

/** More than asked for by this much is told. */
const OVERSHOOT = 0.03

export const command: Command = defineCommand({
  summary: 'remove neurons and heads from a model',
  options: OPTIONS,
  examples: [
    'prune --model runs/base --data corpus/ --ratio 0.2 --out runs/pruned',
    'prune --model runs/base --data corpus/ --ratio 0.2 --importance flap --out runs/pruned',
  ],
  run: async (invocation) => {
    const { options, output } = invocation
    const { loadConfig } = await import('../checkpoint/model-directory/load.ts')
    const wanted = pruneOptions(invocation)
    const config = loadConfig(options.model)
    const resolved = resolveOptions(wanted, config.layers.length) // says what is wrong before anything is loaded
    const { refuseSameDirectory } = await import('../run/edit-target.ts')
    const { saveEdited } = await import('../checkpoint/model-directory/write-model.ts')
    const { storedDtype } = await import('../model/dtype.ts')
    refuseSameDirectory(options.model, options.out)
    const { makeOutputDirectory } = await import('../files/output-directory.ts')
    const removeAgain = makeOutputDirectory(options.out, '--out')
    try {
      const { model, windows, perplexity } = await load(options, output)
      const before = await perplexity()
      const { prune } = await import('../methods/prune/prune.ts')
      const { showOn } = await import('../run/watch-output.ts')
      const shown = showOn(output)
      const record = await prune(model, windows, wanted, { tell: shown.tell }).finally(shown.end)
      const after = await perplexity()
      sayOvershoot(record.report, resolved, output)
      const measured = { calibrationPerplexityBefore: before, calibrationPerplexityAfter: after }
      const { samples, window, batchSize, data } = options
      await saveEdited(model, options.model, options.out, {
        pass: record.pass,
        options: { ...record.options, data, samples, window, batchSize },
        report: { ...record.report, ...measured },
      })
      report(record.report, measured, { dtype: storedDtype(config.dtype), out: options.out }, output)
    } finally {
      removeAgain()
    }
  },
})

/** Small MLPs have few multiples of the neurons that they are to keep, and the next one may be far from what was asked for. */
function sayOvershoot(
  { removedOfBlocks, removedOfModel }: PruneReport,
  { ratio, ratioOf, align }: ResolvedOptions,
  output: Output,
): void {
  const removed = ratioOf === 'blocks' ? removedOfBlocks : removedOfModel
  if (ratioOf === 'groups' || align === 1 || removed < ratio + OVERSHOOT) return
  output.note(
    `notice: ${(100 * removed).toFixed(1)} % removed where ${(100 * ratio).toFixed(1)} % was asked for, as MLPs keep a multiple of ${align} neurons. A smaller --align comes closer`,
  )
}

/** What was asked for, as the library takes it; what was not given is left out. */
function pruneOptions({ options, given }: Invocation<OptionValues<typeof OPTIONS>>): PruneOptions {
  const { ratio, ratioOf, targets, importance, aggregate, scope, layout, align, steps, seed } = options
  const { protectFirst, protectLast, compensate, gradientGib } = options
  return {
    ratio,
    ratioOf,
    targets: targets === 'all' ? ['mlp', 'heads'] : [targets],
    importance,
    aggregate,
    scope,
    layout,
    steps,
    seed,
    maxGradientBytes: gradientGib * 2 ** 30,
    ...(align !== undefined && { align }),
    ...(protectFirst !== undefined && { protectFirst }),
    ...(protectLast !== undefined && { protectLast }),
    ...(given.has('compensate') && { compensate }),
  }
}

interface Loaded {
  model: Decoder
  windows: readonly Batch[]
  /** Of the calibration text, by the model as it is now. */
  perplexity(): Promise<number>
}

async function load(options: OptionValues<typeof OPTIONS>, output: Output): Promise<Loaded> {
  const { Tokenizer } = await import('../text/tokenizer.ts')
  const { calibrationBatches } = await import('../data/calibration.ts')
  const { window, samples, batchSize, seed, textColumn } = options
  const tokenizer = await Tokenizer.fromDirectory(options.model)
  const windows = await calibrationBatches(options.data, tokenizer, {
    length: window,
    samples,
    batchSize,
    seed,
    textKey: textColumn,
    onNotice: (message) => output.note(`notice: ${printable(message)}`),
  })
  const found = windows.reduce((sum, { rows }) => sum + rows, 0)
  if (found < samples) output.note(`notice: the text fills ${found} windows of ${window} tokens, not ${samples}`)
  const source: BatchSource = { batchesPerEpoch: windows.length, at: (index) => windows[index % windows.length]! }
  const { loadModel } = await import('../run/load-model.ts')
  const { setThreads } = await import('../torch/index.ts')
  if (options.threads !== undefined) setThreads(options.threads)
  const { model } = await loadModel(options.model, options)
  if (tokenizer.vocabSize > model.config.vocabSize) {
    throw new UsageError(
      `--model: expected a tokenizer of at most the model's ${model.config.vocabSize} ids, got ${tokenizer.vocabSize}. Use the model's own tokenizer`,
    )
  }
  const { evaluate } = await import('../train/evaluate.ts')
  const { languageModeling } = await import('../train/objective.ts')
  const perplexity = async (): Promise<number> =>
    Math.exp((await evaluate(model, source, languageModeling())).eval_loss!)
  return { model, windows, perplexity }
}

function report(
  done: PruneReport,
  measured: { calibrationPerplexityBefore: number; calibrationPerplexityAfter: number },
  saved: { dtype: 'f32' | 'bf16' | 'f16'; out: string },
  output: Output,
): void {
  const width = saved.dtype === 'f32' ? 4 : 2
  const bytes = { bytesBefore: done.parametersBefore * width, bytesAfter: done.parametersAfter * width }
  output.emit({ ...done, ...measured, ...bytes, out: saved.out })
  for (const line of sizeTable(done.layers)) output.note(line)
  if (!done.isStandard)
    output.note('notice: config.json has keys for layers of unequal size or biases that only Anneal reads')
  if (done.compensated.length > 0) output.note(`biases compensate what was removed of: ${done.compensated.join(', ')}`)
  const share = (part: number): string => `${(100 * part).toFixed(1)} %`
  output.result(
    `${saved.out}: ${amount(done.parametersBefore, 'parameters', false)} → ${amount(done.parametersAfter, 'parameters')} ` +
      `(${share(done.removedOfModel)} of the model, ${share(done.removedOfBlocks)} of its blocks), ` +
      `${amount(bytes.bytesBefore, 'bytes')} → ${amount(bytes.bytesAfter, 'bytes')}, calibration perplexity ` +
      `${measured.calibrationPerplexityBefore.toPrecision(4)} → ${measured.calibrationPerplexityAfter.toPrecision(4)}`,
  )
}

/** One line for each run of layers that changed alike. */
function sizeTable(layers: PruneReport['layers']): string[] {
  const change = (key: keyof LayerSizes, { before, after }: PruneReport['layers'][number]): string =>
    before[key] === after[key] ? `${after[key] ?? '–'}` : `${before[key]} → ${after[key]}`
  const rows: { first: number; last: number; cells: string[] }[] = []
  for (const [i, layer] of layers.entries()) {
    const cells = (['attentionHeads', 'keyValueHeads', 'intermediateSize'] as const).map((key) => change(key, layer))
    const previous = rows.at(-1)
    if (previous !== undefined && previous.cells.join() === cells.join()) previous.last = i
    else rows.push({ first: i, last: i, cells })
  }
  const header = ['layers', 'query heads', 'key/value heads', 'MLP neurons']
  const table = [
    header,
    ...rows.map(({ first, last, cells }) => [first === last ? `${first}` : `${first}–${last}`, ...cells]),
  ]
  const widths = header.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  return table.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join('  '))
}
