// `stage: classify` and `stage: mlm` as whole runs: what they learn, leave, resume and refuse.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hashWeights } from '../../src/checkpoint/model-directory/hash-weights.ts'
import { loadTextClassifier } from '../../src/run/load-classifier.ts'
import { labelledRows, tinyEncoderDirectory } from '../tiny-encoder.ts'
import { ofType } from './tiny-model.ts'
import { annealHere, type Ended } from './tiny-run.ts'

const root = mkdtempSync(join(tmpdir(), 'classify-run-'))
const at = (name: string): string => join(root, name)
const models = new Map<string, ReturnType<typeof tinyEncoderDirectory>>()
const fixture = (name: string): string => {
  const model = models.get(name) ?? tinyEncoderDirectory(name)
  models.set(name, model)
  return model.directory
}
const write = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return at(name)
}
beforeAll(() => {
  process.env.ANNEAL_CACHE = at('cache')
  write('rows.jsonl', labelledRows(60))
  write('many-rows.jsonl', labelledRows(200))
})
afterAll(() => {
  for (const { remove } of models.values()) remove()
  rmSync(root, { recursive: true })
})

/** A run of these keys over the usual ones. */
function train(keys: Readonly<Record<string, string>>): Promise<Ended> {
  const usual = { dataset: at('rows.jsonl'), stage: 'classify', finetuning: 'full', device: 'cpu', logging_steps: '1' }
  const words = Object.entries({ ...usual, ...keys }).flatMap(([key, value]) => [`--${key}`, value])
  return annealHere(['train', '--json', ...words])
}

/** The fixture as the encoder or decoder alone: its own labels would be the only ones. */
function withoutHead(name: string): string {
  const known = models.get(`${name} alone`)
  if (known !== undefined) return known.directory
  const alone = tinyEncoderDirectory(name)
  models.set(`${name} alone`, alone)
  const file = join(alone.directory, 'config.json')
  const { architectures: _, id2label: __, label2id: ___, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify(rest))
  return alone.directory
}

describe.each([
  ['bert-mlm', 'full', '4e-3'],
  ['roberta-classify', 'full', '4e-3'],
  ['modernbert-mlm', 'lora', '1e-2'],
  ['distilbert-classify', 'dora', '1e-2'],
  ['llama-classify', 'full', '4e-3'],
  ['llama-classify', 'lora', '3e-2'],
])('a classifier of %s, %s', (name, finetuning, rate) => {
  const own = at(`${name}-${finetuning}`)
  const keys = {
    dataset: at('many-rows.jsonl'),
    finetuning,
    learning_rate: rate,
    val_split: '0.25',
    max_steps: '120',
    save_steps: '60',
    output_dir: own,
    get model(): string {
      return name.endsWith('-classify') ? withoutHead(name) : fixture(name)
    },
  }

  it('learns to tell the labels apart, and is one directory for everybody', async () => {
    const ended = await train(keys)
    expect(ended.code, ended.err).toBe(0)
    const evaluation = ofType(ended.events, 'evaluation-done').at(-1)!
    expect(evaluation.metrics.eval_macro_f1).toBeGreaterThan(0.9)
    expect(evaluation.metrics.eval_mcc).toBeGreaterThan(0.8)
    const config = JSON.parse(readFileSync(join(own, 'config.json'), 'utf8'))
    expect(config.architectures[0]).toMatch(/ForSequenceClassification$/)
    expect(config.id2label).toEqual({ 0: 'north', 1: 'south' })
    const classifier = await loadTextClassifier(own, { device: 'cpu' })
    const texts = ['the vos che and b', 'the bus pan']
    const answers = await classifier.classify(texts.map((text) => classifier.encode(text).ids))
    classifier.free()
    expect(answers.map(({ label }) => label)).toEqual(['south', 'north'])
    for (const { probabilities } of answers) expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6)
  }, 60_000)

  it('goes on from a checkpoint to the same bits', async () => {
    const whole = hashWeights(own)
    rmSync(join(own, 'checkpoint-120'), { recursive: true })
    const ended = await train({ ...keys, resume_from_checkpoint: 'auto' })
    expect(ended.code, ended.err).toBe(0)
    expect(ofType(ended.events, 'run-start')[0]!.startStep).toBe(60)
    expect(hashWeights(own)).toBe(whole)
  }, 60_000)
})

describe.each([
  ['modernbert-mlm', 'full', '1e-2'],
  ['llama-classify', 'full', '1e-2'],
])('a classifier of several labels, of %s, %s', (name, finetuning, rate) => {
  const own = at(`several-${name}`)
  const keys = () => ({
    model: name.endsWith('-classify') ? withoutHead(name) : fixture(name),
    dataset: write('several.jsonl', severalRows(200)),
    problem_type: 'multi_label_classification',
    label_separator: '+',
    class_weights: 'balanced',
    metric_for_best_model: 'macro_f1',
    finetuning,
    learning_rate: rate,
    val_split: '0.25',
    max_steps: '240',
    save_steps: '120',
    output_dir: own,
  })

  it('learns each by itself, and keeps the thresholds that held-out texts had best', async () => {
    const ended = await train(keys())
    expect(ended.code, ended.err).toBe(0)
    const { metrics } = ofType(ended.events, 'evaluation-done').at(-1)!
    expect(metrics.eval_macro_f1).toBeGreaterThan(0.9)
    expect(metrics.eval_micro_f1).toBeGreaterThan(0.9)
    const config = JSON.parse(readFileSync(join(own, 'config.json'), 'utf8'))
    expect(config.problem_type).toBe('multi_label_classification')
    expect(config.id2label).toEqual({ 0: 'north', 1: 'south' })
    expect(config.label_thresholds).toEqual([metrics.eval_threshold_north, metrics.eval_threshold_south])
    expect(ended.err).toContain(
      'labels are given from these probabilities on, the best on the held-out texts: north 0.',
    )
    const file = at('lines.txt')
    writeFileSync(file, 'the vos che and b\nthe vos tio and b\n')
    const { labels, probabilities, logits } = JSON.parse(
      (await annealHere(['classify', '--model', own, '--text', file, '--device', 'cpu', '--json'])).out,
    )
    // Which processor trains moves probabilities and thresholds: what must hold on each is that labels are those that reach their thresholds.
    const given = probabilities.map((row: number[]) =>
      [...row.entries()]
        .filter(([id, probability]) => probability >= config.label_thresholds[id])
        .toSorted(([, one], [, other]) => other - one)
        .map(([id, probability]) => ({ name: config.id2label[id], probability })),
    )
    expect(labels).toEqual(given.map((each: { name: string }[]) => each.map(({ name }) => name)))
    expect(probabilities[1][0]).toBeGreaterThan(probabilities[0][0] + 0.1)
    expect(Math.min(probabilities[0][1], probabilities[1][1])).toBeGreaterThan(0.5)
    const shown = await annealHere(['classify', '--model', own, '--text', file, '--device', 'cpu'])
    const line = (each: { name: string; probability: number }[]): string =>
      each.map(({ name, probability }) => `${probability.toFixed(3)} ${name}`).join(', ')
    expect(shown.out).toBe(`${line(given[0])}  the vos che and b\n${line(given[1])}  the vos tio and b\n`)
    for (const [i, row] of logits.entries())
      for (const [j, logit] of row.entries()) expect(probabilities[i][j]).toBeCloseTo(1 / (1 + Math.exp(-logit)), 5)
    const none = await annealHere(['classify', '--model', own, '--text', file, '--device', 'cpu', '--threshold', '1'])
    expect(none.out).toBe('none  the vos che and b\nnone  the vos tio and b\n')
  }, 60_000)

  it('goes on from a checkpoint to the same bits', async () => {
    const whole = hashWeights(own)
    rmSync(join(own, 'checkpoint-240'), { recursive: true })
    const ended = await train({ ...keys(), resume_from_checkpoint: 'auto' })
    expect(ended.code, ended.err).toBe(0)
    expect(hashWeights(own)).toBe(whole)
  }, 60_000)

  it('is gone on from as what it is, without its thresholds', async () => {
    const { problem_type: _, class_weights: __, ...rest } = keys()
    const ended = await train({
      ...rest,
      finetuning: 'full',
      model: own,
      max_steps: '1',
      output_dir: at('on'),
      val_split: '0',
    })
    expect(ended.code, ended.err).toBe(0)
    const config = JSON.parse(readFileSync(join(at('on'), 'config.json'), 'utf8'))
    expect(config.problem_type).toBe('multi_label_classification')
    rmSync(at('on'), { recursive: true })
  }, 60_000)
})

/** Texts with words of the north, of the south, or of both. */
function severalRows(count: number): { text: string; label: string }[] {
  const words = { south: ['vos', 'che', 'sol', 'mar'], north: ['tio', 'bus', 'pan', 'luz'] }
  return Array.from({ length: count }, (_, i) => {
    const own = ([['south'], ['north'], ['south', 'north']] as const)[i % 3]!
    const said = own.flatMap((side) => [words[side][i % 4]!, ...(own.length === 1 ? [words[side][(i >> 2) % 4]!] : [])])
    return { text: ['the', ...said, 'and', 'abcdefgh'[i % 8]].join(' '), label: own.join('+') }
  })
}

describe('a masked language model', () => {
  it('learns what was hidden, and goes on from a checkpoint to the same bits', async () => {
    const keys = {
      stage: 'mlm',
      model: fixture('electra-mlm'),
      learning_rate: '1e-2',
      val_split: '0.25',
      max_steps: '30',
      save_steps: '15',
      output_dir: at('mlm'),
    }
    const ended = await train(keys)
    expect(ended.code, ended.err).toBe(0)
    const losses = ofType(ended.events, 'step-done').map(({ metrics }) => metrics.loss)
    const mean = (some: number[]): number => some.reduce((a, b) => a + b, 0) / some.length
    expect(mean(losses.slice(-5))).toBeLessThan(mean(losses.slice(0, 5)) - 0.5)
    const config = JSON.parse(readFileSync(join(at('mlm'), 'config.json'), 'utf8'))
    expect(config.architectures).toEqual(['ElectraForMaskedLM'])
    const whole = hashWeights(at('mlm'))
    rmSync(join(at('mlm'), 'checkpoint-30'), { recursive: true })
    const again = await train({ ...keys, resume_from_checkpoint: 'auto' })
    expect(again.code, again.err).toBe(0)
    expect(hashWeights(at('mlm'))).toBe(whole)
  }, 60_000)

  it('can be new, and a classifier made of it', async () => {
    const sizes = { hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2, num_attention_heads: 2 }
    writeFileSync(
      at('config.json'),
      JSON.stringify({ model_type: 'modernbert', ...sizes, max_position_embeddings: 32 }),
    )
    const ended = await train({
      stage: 'mlm',
      config_path: at('config.json'),
      tokenizer_name_or_path: fixture('bert-mlm'),
      whole_word_mask: 'true',
      output_dir: at('new'),
      max_steps: '3',
      max_length: '32',
    })
    expect(ended.code, ended.err).toBe(0)
    const classified = await train({ model: at('new'), output_dir: at('new-classifier'), max_steps: '2' })
    expect(classified.code, classified.err).toBe(0)
    expect(classified.err).toContain('has no head.out: it begins with numbers drawn by the seed')
    expect(classified.err).toContain('max_length is 1024, and the model reads 32 tokens')
  }, 60_000)
})

describe('bad input is said in one line', () => {
  const rows = labelledRows(12)
  const bert = (keys: Record<string, string>) => (): Record<string, string> => ({ model: fixture('bert-mlm'), ...keys })
  const southern = rows.filter(({ label }) => label === 'south')
  const cases: [string, () => Record<string, string>, RegExp][] = [
    [
      'a missing column',
      bert({ label_column: 'tag' }),
      /rows\.jsonl:1: expected a column 'tag', got text, label\. Name/,
    ],
    [
      'one label',
      () => bert({ dataset: write('one.jsonl', southern) })(),
      /at least two labels in column 'label', got south/,
    ],
    [
      'weights of other labels',
      bert({ class_weights: '{"east": 2}' }),
      /labels of the data \(north, south\), got east/,
    ],
    ['a stage that continues texts', bert({ stage: 'sft' }), /got "bert"\. An encoder reads both ways/],
    [
      'a best model by what is not measured',
      bert({ val_split: '0.25', metric_for_best_model: 'f1' }),
      /metric_for_best_model: expected one of eval_loss, eval_accuracy, eval_macro_f1, eval_mcc, .*, got eval_f1/,
    ],
    [
      'nothing left to evaluate on',
      () =>
        bert({
          dataset: write(
            'alike.jsonl',
            southern.map((row) => ({ ...row, text: 'mar' })),
          ),
          val_split: '0.1',
        })(),
      /val_split: expected labelled texts to evaluate on, got none at 0\.1\. .* or eval_dataset/,
    ],
    [
      'several labels where a text has one',
      bert({ label_separator: ';' }),
      /label_separator: expected it where a text may have several labels, got one\. Set problem_type: multi_label_classification/,
    ],
    [
      'a map of texts with several labels',
      bert({ problem_type: 'multi_label_classification', training_dynamics: 'after' }),
      /training_dynamics: expected it where a text has one label, got any number of them\. Leave it out/,
    ],
    [
      'an empty list of labels',
      () =>
        bert({
          dataset: write('none.jsonl', [...rows, { text: 'che', label: [] }]),
          problem_type: 'multi_label_classification',
        })(),
      /none\.jsonl:13, field 'label': expected one label or more, got an empty list/,
    ],
    [
      'a separator that is not between the labels',
      () =>
        bert({
          dataset: write('semicolon.jsonl', [...rows, { text: 'che', label: 'north;south' }]),
          problem_type: 'multi_label_classification',
        })(),
      /got "north;south", which is north and south with ";" between them\. Set label_separator: ';'/,
    ],
    ['frozen layers', bert({ finetuning: 'freeze' }), /expected full, lora or dora with classify, got freeze/],
    ['samples of a text', bert({ sample_prompts: '[hello]' }), /sample_prompts: expected none with classify/],
    ['keys of another stage', bert({ mlm_probability: '0.2' }), /expected it with stage: mlm, got stage: classify/],
    [
      'a decoder that would read both ways',
      () => ({ stage: 'mlm', model: fixture('llama-classify') }),
      /expected an encoder with stage: mlm, got a model that reads one way/,
    ],
  ]
  it.each(cases)('%s', async (_, keys, message) => {
    const ended = await train({ output_dir: at('bad'), max_steps: '1', ...keys() })
    expect(ended.code).not.toBe(0)
    expect(ended.err).toMatch(message)
    expect(existsSync(at('bad'))).toBe(false)
  })

  it('more labels than the classifier has', async () => {
    const ended = await train({ model: fixture('bert-classify'), output_dir: at('bad'), max_steps: '1' })
    expect(ended.code).toBe(3)
    expect(ended.err).toMatch(
      /rows\.jsonl:1, field 'label': expected one of the 3 labels no, perhaps, yes, got "south"/,
    )
  })

  it('a label seen once, an empty text and a long one are told', async () => {
    const long = { text: 'the sun '.repeat(40), label: 'south' }
    const dataset = write('odd.jsonl', [...rows, { text: 'che', label: 'rare' }, { text: ' ', label: 'south' }, long])
    const keys = { model: fixture('bert-mlm'), output_dir: at('odd'), max_steps: '1', class_weights: 'balanced' }
    const ended = await train({ ...keys, dataset })
    expect(ended.code, ended.err).toBe(0)
    expect(ended.err).toContain('label rare has one text to train on, from which it cannot be learnt')
    expect(ended.err).toContain('1 row with an empty text left out (the first:')
    expect(ended.err).toContain('1 text of 14 is longer than 40 tokens and was cut there (the longest has 82)')
  })
})

it('leaves a card that says what the labels are and what was measured', async () => {
  const keys = { model: fixture('bert-mlm'), output_dir: at('card'), max_steps: '2', val_split: '0.25' }
  const ended = await train(keys)
  expect(ended.code, ended.err).toBe(0)
  const card = readFileSync(join(at('card'), 'README.md'), 'utf8')
  expect(card).toContain('pipeline_tag: text-classification')
  expect(card).toContain('Labels: `north`, `south`.')
  expect(card).toMatch(/\| macro_f1 \| [\d.]+ \|/)
  const page = readFileSync(join(at('card'), 'training.html'), 'utf8')
  for (const title of ['Macro-F1', 'Labels guessed right', 'nats per text']) expect(page).toContain(title)
})
