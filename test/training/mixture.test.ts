// `anneal train` on several sources with shares: what is told of each, how a stopped run goes on, and held-out sets with names.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tinyModelDirectory } from '../tiny-model.ts'
import { ofType } from './tiny-model.ts'
import { annealHere, type Ended, useCacheIn } from './tiny-run.ts'

let model: Awaited<ReturnType<typeof tinyModelDirectory>>
beforeAll(async () => {
  model = await tinyModelDirectory({})
  useCacheIn(model.directory)
  const write = (name: string, count: number, text: (i: number) => string): void =>
    writeFileSync(at(name), Array.from({ length: count }, (_, i) => `${JSON.stringify({ text: text(i) })}\n`).join(''))
  write('danish.jsonl', 40, (i) => `Tekst nummer ${i} af fyrre, hver paa en linje.`)
  write('english.jsonl', 20, (i) => `Document ${i} of twenty, each is a line of its own.`)
  write('held.jsonl', 8, (i) => `Andre tekster, nummer ${i} af otte.`)
})
afterAll(() => model.remove())

const at = (name: string): string => join(model.directory, name)

function train(name: string, config: Record<string, unknown>, ...more: string[]): Promise<Ended> {
  const defaults = {
    stage: 'pretrain',
    model_name_or_path: model.directory,
    dataset: [at('danish.jsonl'), at('english.jsonl')],
    mix_strategy: 'interleave_over',
    interleave_probs: [0.75, 0.25],
    output_dir: at(name),
    max_length: 32,
    per_device_train_batch_size: 4,
    max_steps: 6,
    logging_steps: 1,
    lr_scheduler_type: 'constant',
    save_strategy: 'no',
    device: 'cpu',
  }
  writeFileSync(at(`${name}.yaml`), JSON.stringify({ ...defaults, ...config }))
  return annealHere(['train', at(`${name}.yaml`), '--json', ...more])
}
const losses = ({ events }: Ended): number[] => ofType(events, 'step-done').map(({ metrics }) => metrics.loss)

describe('anneal train on a mixture', () => {
  it('says of each source what it is of the whole and how often it is read', async () => {
    const ended = await train('told', {})
    expect(ended.code, ended.err).toBe(0)
    const told = [
      ...ended.err.matchAll(
        /^notice: source (\S+): (\d+) documents, ([\d,]+) tokens; (\S+) % .*read (\S+) × in an epoch, (\S+) × in the run$/gm,
      ),
    ]
    expect(told.map(([, path]) => path)).toEqual([at('danish.jsonl'), at('english.jsonl')])
    expect(told.map(([, , documents]) => documents)).toEqual(['40', '20'])
    const [danish, english] = told.map((match) => ({
      blocks: Math.floor(Number(match[3]!.replaceAll(',', '')) / 32),
      share: Number(match[4]),
      epoch: Number(match[5]),
      run: Number(match[6]),
    }))
    expect(danish!.share).toBeCloseTo(75, -0.3)
    expect(english!.share).toBeCloseTo(25, -0.3)
    // One of the two is read up, the other more than once; 6 steps of 4 rows are what the run reads.
    expect(Math.min(danish!.epoch, english!.epoch)).toBe(1)
    expect(Math.max(danish!.epoch, english!.epoch)).toBeGreaterThan(1)
    expect(danish!.run * danish!.blocks + english!.run * english!.blocks).toBeCloseTo(24, 0)
  })

  it('goes on after a stop with the losses of a run that was never stopped, and not with other shares', async () => {
    const saving = { save_strategy: 'steps', save_steps: 2 }
    const straight = await train('straight', saving)
    const first = await train('stopped', { ...saving, max_steps: 2 })
    const resume = ['--resume_from_checkpoint', 'auto']
    const rest = await train('stopped', saving, ...resume)
    expect(rest.code, rest.err).toBe(0)
    expect([...losses(first), ...losses(rest)].slice(2)).toEqual(losses(straight).slice(2))
    const other = await train('stopped', { ...saving, max_steps: 8, interleave_probs: [0.5, 0.5] }, ...resume)
    expect(other.err).toMatch(/interleave_probs .*expected \[0\.75,0\.25\].*got \[0\.5,0\.5\]/)
    const swapped = [at('english.jsonl'), at('danish.jsonl')]
    const changed = await train('stopped', { ...saving, max_steps: 8, dataset: swapped }, ...resume)
    expect(changed.err).toMatch(/dataset .*expected the files that the run began with/)
  })

  it('tells of every held-out set that has a name, and of all together', async () => {
    const sets = { da: at('held.jsonl'), en: [at('english.jsonl')] }
    const ended = await train('named', { eval_dataset: sets, eval_steps: 3, metric_for_best_model: 'da_loss' })
    expect(ended.code, ended.err).toBe(0)
    const { eval_loss, eval_da_loss, eval_en_loss } = ofType(ended.events, 'evaluation-done')[0]!.metrics
    expect(Math.min(eval_da_loss!, eval_en_loss!)).toBeLessThan(eval_loss!)
    expect(Math.max(eval_da_loss!, eval_en_loss!)).toBeGreaterThan(eval_loss!)
    const alone = await train('alone', { eval_dataset: at('held.jsonl'), eval_steps: 3 })
    expect(eval_da_loss).toBeCloseTo(ofType(alone.events, 'evaluation-done')[0]!.metrics.eval_loss!, 5)
    expect(readFileSync(join(at('named'), 'training.html'), 'utf8')).toContain('held out: da')
    const given = ['--eval_dataset.da', at('held.jsonl')]
    const typed = await train('typed', { eval_steps: 3 }, ...given)
    expect(typed.code, typed.err).toBe(0)
    expect(ofType(typed.events, 'evaluation-done')[0]!.metrics.eval_da_loss).toBe(eval_da_loss)
  })

  it('holds out of each source by itself', async () => {
    const ended = await train('split', { val_split: 0.3, eval_steps: 3 })
    expect(ended.code, ended.err).toBe(0)
    expect(ended.err.match(/^validation (?:danish|english): /gm)).toHaveLength(2)
    const { eval_loss, eval_danish_loss, eval_english_loss } = ofType(ended.events, 'evaluation-done')[0]!.metrics
    expect(Math.min(eval_danish_loss!, eval_english_loss!)).toBeLessThan(eval_loss!)
    expect(Math.max(eval_danish_loss!, eval_english_loss!)).toBeGreaterThan(eval_loss!)
  })

  it('says which source has nothing to hold out', async () => {
    const few = at('few.jsonl')
    const row = JSON.stringify({
      text: 'Kun et par ord og nogle flere ord, som fylder en blok eller to op. '.repeat(3),
    })
    writeFileSync(few, `${row}\n${row}\n${row}\n`)
    const ended = await train('nothing-held', { dataset: [at('danish.jsonl'), few], val_split: 0.05 })
    expect(ended.code, ended.err).toBe(0)
    expect(ended.err).toContain('notice: val_split: nothing of few is held out')
    expect(ofType(ended.events, 'evaluation-done')[0]!.metrics).toHaveProperty('eval_danish_loss')
  })

  it.each([
    [{ interleave_probs: [0.5] }, /interleave_probs.*expected one number for each of the 2 entries of dataset, got 1/],
    [{ mix_strategy: 'concat' }, /interleave_probs.*expected mix_strategy: interleave_under or interleave_over/],
    [{ interleave_probs: [1, 0] }, /interleave_probs/],
    [{ interleave_probs: 'half,half' }, /interleave_probs.*a list of numbers above 0/],
    [{ mix_strategy: 'mixed' }, /mix_strategy.*interleave_under/],
    [{ stage: 'sft' }, /mix_strategy.*expected concat without stage: pretrain/],
    [{ eval_dataset: { 'da nsk': 'x' } }, /eval_dataset.*letters, digits/],
    [{ eval_dataset: { da: 'nowhere.jsonl' } }, /nowhere\.jsonl/],
  ])('refuses %j in a line', async (config, message) => {
    const ended = await train('refused', config)
    expect([2, 3]).toContain(ended.code)
    expect(ended.err).toMatch(message)
    expect(
      ended.err
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('error:')),
    ).toHaveLength(1)
  })

  it('says which source gives no block', async () => {
    mkdirSync(at('small'))
    writeFileSync(at('small/one.txt'), 'Hi.')
    const ended = await train('empty', { dataset: [at('danish.jsonl'), at('small')] })
    expect(ended.err).toMatch(
      /dataset: expected at least one block of 32 tokens in each source, got \d tokens in \S+small/,
    )
  })
})
