import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LogRow, trainerState } from '../../checkpoint/run-directory/trainer-state.ts'
import { parseConfig } from '../../config/parse.ts'
import { preferenceFigures } from '../../methods/dpo/figures.ts'
import { dropBpSection, FLOP_FRACTION } from '../../methods/dropbp/figures.ts'
import { escapeWords } from '../../report/html.ts'
import type { Drawn } from '../../train/rule.ts'
import type { RunTell } from './run-events.ts'
import { RunLog } from './run-log.ts'
import { renderTrainingPage, TRAINING_PAGE, TrainingPage, type TrainingRun } from './training-page.ts'

const PRETRAIN = { stage: 'pretrain', model_name_or_path: 'base', dataset: 'd', output_dir: 'o', max_steps: 40 }

function runOf(rows: readonly LogRow[], config: object = {}, more: Partial<TrainingRun> = {}): TrainingRun {
  const state = trainerState({ log_history: [...rows], max_steps: 40, epoch: 1, num_input_tokens_seen: 4096 })
  const parsed = parseConfig(JSON.stringify({ ...PRETRAIN, ...config }), 'run.yaml')
  return { parsed, log: { state, samples: [] }, step: 40, reason: 'finished', footer: 'Anneal', ...more }
}

/** The page, with plain spaces where it has unbreakable ones. */
const pageOf = (...run: Parameters<typeof runOf>): string => renderTrainingPage(runOf(...run)).replaceAll('\u00a0', ' ')

/** A training row every 10 steps. */
function rows(metrics: Record<string, readonly (number | null)[]>): LogRow[] {
  const count = Object.values(metrics)[0]!.length
  return Array.from({ length: count }, (_, i) => ({
    step: 10 * (i + 1),
    epoch: 1,
    num_tokens: 5120 * (i + 1),
    ...Object.fromEntries(Object.entries(metrics).map(([name, values]) => [name, values[i]!])),
  }))
}

const figureOf = (html: string, title: string): string | undefined =>
  html.split('<figure>').find((figure) => figure.includes(`<h3>${title}</h3>`))

/** The lines of a linear chart, read back from its pixels through the labels of its axes. */
function linesIn(html: string, title: string): Record<string, number[][]> {
  const figure = figureOf(html, title)!
  const ticks = (pattern: RegExp): number[][] =>
    [...figure.matchAll(pattern)].map(([, at, label]) => [Number(at), numberOf(label!)])
  // Lines are drawn in a thousand parts of the width.
  const across = valueAt(
    ticks(/<text class="tick (?:middle|end)[^>]* x="([\d.]+)%"[^>]*>([^<]+)</g).map(([at, value]) => [
      10 * at!,
      value!,
    ]),
  )
  const up = valueAt(ticks(/class="tick end" x="-8" y="([^"]+)">([^<]+)</g).map(([at, value]) => [at! - 4, value!]))
  const paths = [...figure.matchAll(/<g class="series [^"]*"><path d="(M[^"]*)"/g)]
  const names = [...figure.matchAll(/<\/g><\/svg>([^<]+)<\/li>/g)].map(([, name]) => name!)
  const plotted = paths.filter(([, path]) => path !== 'M0 6H22')
  return Object.fromEntries(
    plotted.map(([, path], i) => [
      names[i] ?? 'only',
      [...path!.matchAll(/[ML]([\d.-]+) ([\d.-]+)/g)].map(([, x, y]) => [across(Number(x)), up(Number(y))]),
    ]),
  )
}

const numberOf = (label: string): number => {
  const number = Number(label.replaceAll(/,| %/g, ''))
  return label.endsWith('%') ? number / 100 : number
}

/** Pixel → value, from the first and the last tick. */
function valueAt(ticks: number[][]): (pixel: number) => number {
  const [[from, low], [to, high]] = [ticks[0]!, ticks.at(-1)!] as [[number, number], [number, number]]
  return (pixel) => low + ((pixel - from) / (to - from)) * (high - low)
}

describe('the page of a run', () => {
  const losses = [4, 3.25, 2.5, 2.75]
  const metrics = {
    loss: losses,
    mean_token_accuracy: [0.1, 0.2, 0.3, 0.25],
    grad_norm: [2, 0.5, 0.75, 1.5],
    learning_rate: [0.001, 0.002, 0.001, 0],
    tokens_per_second: [1000, 2000, 1500, 1800],
  }
  const evaluations = [
    { step: 20, epoch: 1, eval_loss: 3, eval_mean_token_accuracy: 0.2 },
    { step: 40, epoch: 1, eval_loss: 3.5, eval_mean_token_accuracy: 0.2 },
  ]
  const end = { step: 40, epoch: 1, train_loss: 3.1, train_runtime: 100, train_steps_per_second: 0.4 }
  const html = pageOf([...rows(metrics), ...evaluations, end])

  it('draws what the log has', () => {
    const drawn = linesIn(html, 'Loss')
    expect(Object.keys(drawn)).toEqual(['training', 'held out'])
    expectPoints(drawn.training!, losses)
    expectPoints(drawn['held out']!, [3, 3.5], 20)
    expectPoints(linesIn(html, 'Next tokens guessed right').training!, metrics.mean_token_accuracy)
    expectPoints(linesIn(html, 'Gradient norm').only!, metrics.grad_norm)
    expectPoints(linesIn(html, 'Learning rate').only!, metrics.learning_rate)
    expectPoints(linesIn(html, 'Speed').only!, metrics.tokens_per_second)
  })

  it('says in figures and words what the curves mean', () => {
    expect(html).toContain('<p class="subtitle">Pre-training of base, finished after 40 of 40 steps.</p>')
    expect(html).toContain('>held-out loss</dt><dd class="number">3.5</dd><dd class="detail">was 3 at step 20<')
    expect(html).toContain('>in 1 m 40 s<')
    expect(figureOf(html, 'Loss')).toContain('lowest held-out loss 3<')
    expect(figureOf(html, 'Loss')).toContain('A step reads 512 tokens, padding included.')
    expect(figureOf(html, 'Gradient norm')).toContain('2 of 4 logged steps lie above max_grad_norm 1')
  })

  it('has the fingerprint, and the configuration folded', () => {
    const fingerprint = { fingerprint: 'f00d', config: 'c0', data: 'da', code: 'cc', state: '57' }
    const full = pageOf(rows(metrics), {}, { fingerprint })
    expect(full).toContain('<td>f00d</td><td>the run</td>')
    expect(full).toMatch(/<details><summary>Resolved[^<]*<\/summary><pre>stage: pretrain # run.yaml:1:\d+\n/)
    expect(full).toContain('\nlogging_steps: 10 # default\n')
    expect(html).not.toContain('f00d')
  })

  it('says how a run ended, and from where its time counts after a resume', () => {
    const stopped = { ...end, train_runtime: 5, train_steps_per_second: 2 }
    expect(pageOf([...rows(metrics), stopped], {}, { step: 25, reason: 'stopped' })).toMatch(
      /stopped after 25 of 40 steps\..*>the last 10 steps in 5\.0 s</s,
    )
    expect(pageOf(rows(metrics), {}, { step: 25, reason: undefined })).toContain('base, 25 of 40 steps done.')
  })

  it('has a gap where a number was not finite, and no chart without points', () => {
    const gap = pageOf(rows({ loss: [4, 3, null, 2, 1] }))
    expect(/class="series s1 line"><path d="([^"]*)"/.exec(figureOf(gap, 'Loss')!)![1]).toMatch(/^M\S+ \S+L.*M.*L/)
    expect(gap).not.toMatch(/NaN|Infinity|undefined/)
    expect(gap.match(/<figure>/g)!.length).toBe(1)
    expect(pageOf([end])).not.toContain('<figure>')
  })

  it('draws a short run from every step, and what came before a resume from the log', () => {
    const steps = [11, 12, 13].map((step) => ({ step, epoch: 1, loss: 4 - step / 10 }))
    const html = pageOf(rows({ loss: [4, 2.8] }), {}, { steps, date: '2026-11-26' })
    // The row of step 20 stands for steps that are there themselves.
    expect(linesIn(html, 'Loss').only!.map(([step]) => Math.round(step!))).toEqual([10, 11, 12, 13])
    expect(html).toContain('<title>o · 2026-11-26</title>')
    expect(html).toContain('<p class="about">2026-11-26</p>')
  })

  it('draws a metric that it has never heard of', () => {
    expectPoints(linesIn(pageOf(rows({ loss: losses, entropy: [1, 2, 3, 4] })), 'entropy').only!, [1, 2, 3, 4])
  })

  it('smooths a long line and leaves it visible behind', () => {
    const noisy = Array.from({ length: 100 }, (_, i) => 3 + (i % 2))
    const { 'training, as logged': raw, training } = linesIn(pageOf(rows({ loss: noisy })), 'Loss')
    expectPoints(raw!, noisy)
    // Weights 0.6 and 0.4: the mean of 3, 4, 3, 4 … ends at 3 + 0.4 / (1 − 0.36) = 3.625.
    expect(training!.at(-1)![1]).toBeCloseTo(3.625, 2)
  })

  it('shows what the model wrote: all prompts, at the first step and at the last', () => {
    const samples = Array.from({ length: 40 }, (_, i) => ({ step: 1 + (i >> 1), prompt: `p${i % 2}`, text: `t${i}` }))
    const shown = pageOf(rows({ loss: losses }), {}, { log: { ...runOf([]).log, samples } })
    const texts = [...shown.matchAll(/<b>(p\d)<\/b>(t\d+)</g)].map(([, prompt, text]) => `${prompt} ${text}`)
    expect(texts.length).toBe(12)
    expect(texts.slice(0, 2)).toEqual(['p0 t0', 'p1 t1'])
    expect(texts.slice(-2)).toEqual(['p0 t38', 'p1 t39'])
  })

  it('shows hostile names, prompts and texts as text', () => {
    const page = (text: string): string =>
      pageOf(
        rows({ loss: losses, [text]: losses }),
        { run_name: text, sample_prompts: [text], output_dir: text },
        { log: { state: runOf(rows({ [text]: losses })).log.state, samples: [{ step: 1, prompt: text, text }] } },
      )
    for (const payload of [
      '</title></pre></svg><script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      "' onload='x",
    ]) {
      const html = page(payload)
      expect(html.match(/</g)!.length).toBe(page(payload.replaceAll(/[^\s/]/g, 'x')).match(/</g)!.length)
      expect(html).not.toMatch(/<script|<img|\son[a-z]+="/i)
      expect(html).toContain(`<h1>${escapeWords(payload)}</h1>`)
    }
  })
})

describe('the page of a preference run', () => {
  const DPO = { stage: 'dpo', beta: 0.1 }
  const SIGMOID = { stage: preferenceFigures('sigmoid', 0.1) }
  const count = 20
  const series = (value: (i: number) => number): number[] => Array.from({ length: count }, (_, i) => value(i))
  const metrics = (fall: number): Record<string, number[]> => ({
    loss: series((i) => 0.7 - i / 50),
    'rewards/chosen': series((i) => -0.1 * fall * i),
    'rewards/rejected': series((i) => -0.1 * fall * i - i / 20),
    'rewards/margins': series((i) => i / 20),
    'rewards/accuracies': series((i) => 0.5 + i / 40),
    'logps/chosen': series((i) => -20 - fall * i),
    'logps/rejected': series((i) => -30 - fall * i),
  })

  it('draws margins, accuracies, and rewards and log-probabilities of both answers', () => {
    const html = pageOf(rows(metrics(0)), DPO, SIGMOID)
    expectPoints(linesIn(html, 'Margin').only!, metrics(0)['rewards/margins']!)
    expectPoints(linesIn(html, 'Pairs in the right order').only!, metrics(0)['rewards/accuracies']!)
    const logps = linesIn(html, 'Log-probabilities of the answers')
    expectPoints(logps['chosen, training']!, metrics(0)['logps/chosen']!)
    expectPoints(logps['rejected, training']!, metrics(0)['logps/rejected']!)
    expect(html).toContain('>0.95</dd><dd class="detail">97.5 % of pairs in the right order<')
    expect(html).not.toContain('answers collapse')
  })

  it('marks where the chosen answers collapse, and takes rewards below 0 for no fault', () => {
    const html = pageOf(rows(metrics(4)), DPO, SIGMOID)
    // They start at -20 and have lost as much again at -40, the row of step 60; the mean of the steps gets there with the next row.
    const figure = figureOf(html, 'Log-probabilities of the answers')!
    expect(figure).toContain('the chosen answers collapse<')
    expect(/At step (\d+) the chosen answers lose their probability, too/.exec(html)?.[1]).toBe('70')
    expect(figureOf(html, 'Rewards')).toContain('Both are below 0, which is common and no fault by itself')
    const simpo = { stage: preferenceFigures('simpo', 0.1) }
    expect(figureOf(pageOf(rows(metrics(4)), { ...DPO, loss_type: 'simpo' }, simpo), 'Rewards')).toContain(
      'Without a reference',
    )
  })

  it('takes a hostile step for no reason to wait', () => {
    const rows = [{ step: 1e300, loss: 1, 'logps/chosen': -1, 'rewards/chosen': 0, 'rewards/margins': 1 }]
    expect(pageOf(rows, DPO, SIGMOID)).toContain('Margin')
  })
})

describe('the page of a run with DropBP', () => {
  const branches = (['attention', 'mlp'] as const).map((kind) => ({ path: kind, block: 0, kind, flops: 1 }))
  const dropBp = { branches, rates: Float64Array.of(0.25, 0.75), sensitivities: Float64Array.of(8, 2) }

  it('draws the fraction dropped with its mean over all steps, and rates and sensitivities of each branch', () => {
    const logged = rows({ loss: [1, 1], 'dropbp/flop_fraction': [0.4, 0.7] })
    logged[1] = { ...logged[1]!, step: 15, 'dropbp/rate/attention': 0.25 } // the last row stands for 5 steps
    const figures: Drawn['figures'] = ({ meanOf }) => dropBpSection(dropBp, 0.5, meanOf(FLOP_FRACTION))
    const html = pageOf(logged, { dropbp: 0.5 }, { rules: [{ name: 'dropbp', title: 'DropBP', figures }] })
    expect(html).toContain('asked for 50 %')
    expect(html).toContain('50 % were left out of the backward pass; 50 % was asked for.') // (10 · 0.4 + 5 · 0.7) / 15
    expect(html).toContain('Pre-training of base with DropBP')
    expect(linesIn(html, 'FLOPs dropped').only!.map(([step]) => Math.round(step!))).toEqual([10, 15])
    expect(figureOf(html, 'Drop rate of each branch')).toContain('attention 0: 25 %; MLP 0: 75 %.')
    expect(figureOf(html, 'Sensitivity of each branch')).toContain('attention 0: 1; MLP 0: 0.25.')
    expect(html).not.toContain('Other metrics')
  })
})

describe('TrainingPage', () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'anneal-page-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  function start(name: string): { page: TrainingPage; notes: string[]; path: string; log: RunLog } {
    const notes: string[] = []
    const tell: RunTell = (event) => {
      if (event.type === 'saved') notes.push(`saved ${event.what} ${event.path}`)
      else if (event.type === 'notice') notes.push(event.message)
    }
    const output_dir = join(directory, name)
    mkdirSync(output_dir)
    const parsed = parseConfig(JSON.stringify({ ...PRETRAIN, output_dir, logging_steps: 1 }), 'run.yaml')
    const log = new RunLog(parsed.config, 2, () => {})
    return { page: new TrainingPage(parsed, log, {}, tell), notes, path: join(output_dir, TRAINING_PAGE), log }
  }
  const metrics = { step: 1, epoch: 1, loss: 2, grad_norm: 1, learning_rate: 1, num_tokens: 4, tokens_per_second: 1 }
  const saved = { type: 'checkpoint-saved', step: 1, path: 'c', seconds: 1 } as const

  it('is there from the first checkpoint on, and complete after the end or an error', () => {
    const { page, notes, path, log } = start('run')
    for (const event of [{ type: 'step-done', metrics, seconds: 1 } as const, saved]) {
      expect(existsSync(path)).toBe(false)
      log.take(event)
      page.take(event)
    }
    expect(readFileSync(path, 'utf8')).toContain('1 of 2 steps done.')
    expect(notes).toEqual([])
    const end = { type: 'run-end', step: 1, reason: 'stopped', metrics: { train_runtime: 1 } } as const
    log.take(end)
    page.take(end)
    page.end(undefined)
    expect(readFileSync(path, 'utf8')).toContain('stopped after 1 of 2 steps.')
    expect(notes).toEqual([`saved charts ${path}`])
  })

  it('is not there when nothing was logged', () => {
    const { page, notes, path } = start('nothing')
    page.end(undefined)
    expect([existsSync(path), notes]).toEqual([false, []])
  })

  it('does not end a run when it cannot be written, and says so once', () => {
    const { page, notes, path, log } = start('blocked')
    mkdirSync(join(path, 'in the way'), { recursive: true })
    log.take({ type: 'step-done', metrics, seconds: 1 })
    page.take(saved)
    page.take(saved)
    page.end(undefined)
    expect(notes.length).toBe(1)
    expect(notes[0]).toMatch(/^no page of the run: /)
    expect(readdirSync(join(path, '..'))).toEqual([TRAINING_PAGE])
  })
})

/** Values one by one, a row every `every` steps; pixels have one decimal, of some 224 for the height of the plot. */
function expectPoints(points: number[][], values: readonly number[], every = 10): void {
  const span = Math.max(...values) - Math.min(...values) || 1
  expect(points.length).toBe(values.length)
  for (const [i, [step, value]] of points.entries()) {
    expect(Math.abs(step! - every * (i + 1))).toBeLessThan(every * values.length * 1e-3)
    expect(Math.abs(value! - values[i]!)).toBeLessThan(2e-3 * span)
  }
}
