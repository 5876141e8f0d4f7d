import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../../test/tiny-model.ts'
import { readLineage } from '../checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { command } from './prune.ts'

describe('anneal prune', async () => {
  const { directory, remove } = await tinyModelDirectory({
    chatTemplate: TINY_CHAT_TEMPLATE,
    generationConfig: { temperature: 0.7 },
  })
  const scratch = mkdtempSync(join(tmpdir(), 'anneal-prune-'))
  afterAll(() => {
    remove()
    rmSync(scratch, { recursive: true, force: true })
  })
  const text = join(scratch, 'text.txt')
  writeFileSync(text, 'The quick brown fox jumps over the lazy dog. '.repeat(40))
  let runs = 0
  const outOf = (): string => join(scratch, `out-${runs++}`)
  const anneal = (out: string, ...words: string[]) =>
    runCommand(command, [
      ...['--model', directory, '--data', text, '--out', out, '--max-length', '32', '--samples', '4', '--align', '8'],
      ...words,
    ])

  it('writes a whole model directory and says what is left', async () => {
    const out = outOf()
    const { code, out: said, err } = await anneal(out, '--ratio', '0.5')
    expect([code, err]).toEqual([0, expect.stringContaining('scoring  100 %  4/4 batches')])
    expect(said).toContain('layers  query heads  key/value heads  MLP neurons')
    expect(said).toContain('   0–2        4 → 2            2 → 1     176 → 88')
    expect(said).toMatch(/^parameters .*→.*, \d\d\.\d % of the model and 49\.\d % of its blocks removed$/m)
    expect(said).toMatch(/^weights +\d+ kB → \d+ kB$/m)
    expect(said).toMatch(/^perplexity +\d+\.\d+ → \d+\.\d+ on the calibration text$/m)
    expect(said).toMatch(/^held out +perplexity \d+\.\d+ → \d+\.\d+ on \d+ other tokens$/m)
    expect(readFileSync(join(out, 'prune.html'), 'utf8')).toContain('Neurons in each MLP')
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))
    expect(config).toMatchObject({ intermediate_size: 88, num_attention_heads: 2, num_key_value_heads: 1 })
    expect(loadDecoder(out).config.layers[2]!.mlp!.intermediateSize).toBe(88)
    expect(await Tokenizer.fromDirectory(out)).toMatchObject({ chatTemplate: TINY_CHAT_TEMPLATE })
    expect(JSON.parse(readFileSync(join(out, 'generation_config.json'), 'utf8'))).toEqual({ temperature: 0.7 })
    expect(readLineage(out)).toMatchObject([
      {
        pass: 'prune',
        options: { ratio: 0.5, importance: 'taylor-element', layout: 'aligned', data: [text], maxLength: 32 },
        report: { layers: [{ before: { intermediate_size: 176 } }, {}, {}] },
        parentSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ])
  })

  it('gives its figures as the last JSON line with --json', async () => {
    const { out, err } = await anneal(
      outOf(),
      '--ratio',
      '0.3',
      '--layout',
      'per-layer',
      '--importance',
      'flap',
      '--json',
    )
    const result = JSON.parse(out.trim().split('\n').at(-1)!)
    expect(result).toMatchObject({ is_standard: false, compensated: ['heads', 'mlp'] })
    expect(result.bytes_after).toBe(4 * result.parameters_after)
    expect(result.perplexity_after).toBeGreaterThan(1)
    expect(err).not.toContain('scoring')
  })

  it('says when whole groups of neurons take more than was asked for', async () => {
    const words = ['--model', directory, '--data', text, '--max-length', '32', '--samples', '4', '--targets', 'mlp']
    const coarse = await runCommand(command, [...words, '--ratio', '0.1', '--out', outOf()])
    // 176 neurons are no multiple of 64; the next smaller one is 128.
    expect(coarse.err).toMatch(
      /^notice: 1\d\.\d % removed where 10 % was asked for, as MLPs keep a multiple of 64 neurons\. A smaller one \(align\)/m,
    )
    const fine = await runCommand(command, [...words, '--ratio', '0.1', '--align', '8', '--out', outOf()])
    expect([fine.code, fine.err]).toEqual([0, expect.not.stringContaining('asked for')])
  })

  it('says when they take less, on the page too', async () => {
    const words = ['--model', directory, '--targets', 'mlp', '--importance', 'l2', '--ratio', '0.3', '--align', '128']
    const out = outOf()
    const { code, err } = await runCommand(command, [...words, '--out', out])
    // Of 176 neurons 128 stay: the next multiple would be none.
    const [, share] = /^notice: (1\d\.\d %|2\d(?:\.\d)? %) removed where 30 % was asked for, as MLPs/m.exec(err) ?? []
    expect([code, share]).toEqual([0, expect.any(String)])
    const page = readFileSync(join(out, 'prune.html'), 'utf8').replace(/&nbsp;|\u00a0|\u202f/g, ' ')
    expect(page).toContain(`30 % of the parameters in its blocks asked for, ${share} removed`)
  })

  it.each(['l2', 'l1', 'random'])('needs no text for %s, and then has no perplexity', async (importance) => {
    const out = outOf()
    const words = ['--model', directory, '--ratio', '0.3', '--align', '8', '--importance', importance]
    const { code, out: json } = await runCommand(command, [...words, '--out', out, '--json'])
    expect([code, JSON.parse(json.trim().split('\n').at(-1)!)]).toMatchObject([
      0,
      { perplexity_before: null, perplexity_after: null, eval_perplexity_after: null, out },
    ])
    expect(readFileSync(join(out, 'prune.html'), 'utf8')).not.toContain('perplexity')
    const biased = await runCommand(command, [...words, '--out', outOf(), '--layout', 'per-layer', '--compensate'])
    expect([biased.code, biased.err]).toEqual([2, expect.stringContaining(`${importance} and biases, got nothing`)])
  })

  it('goes on from its own result', async () => {
    const [first, second] = [outOf(), outOf()]
    await anneal(first, '--ratio', '0.3', '--layout', 'per-layer', '--importance', 'flap')
    const again = await runCommand(command, [
      ...[
        '--model',
        first,
        '--data',
        text,
        '--out',
        second,
        '--window',
        '32',
        '--ratio',
        '0.3',
        '--layout',
        'per-layer',
      ],
    ])
    expect([again.code, readLineage(second).map(({ pass }) => pass)]).toEqual([0, ['prune', 'prune']])
  })

  it.each<[string, string[], RegExp, number]>([
    ['a ratio of 1', ['--ratio', '1'], /^error: --ratio: expected a share from 0 to below 1, got 1\n$/, 2],
    ['a negative ratio', ['--ratio', '-0.1'], /^error: --ratio: expected a share from 0/, 2],
    [
      'too much',
      ['--ratio', '0.9', '--targets', 'mlp'],
      /^error: --ratio: expected below 0\.7\d\d, .*got 0\.9\. Lower it/m,
      2,
    ],
    [
      'protected layers in the aligned layout',
      ['--ratio', '0.5', '--protect-first', '1'],
      /^error: protected layers: .*per-layer\n$/,
      2,
    ],
    [
      'an importance that is none',
      ['--ratio', '0.5', '--importance', 'tailor'],
      /^error: --importance: expected taylor-element or/,
      2,
    ],
  ])('refuses %s in one line and writes nothing', async (_, words, message, code) => {
    const out = outOf()
    const result = await anneal(out, ...words)
    expect(result.err).toMatch(message)
    expect([result.code, result.out, existsSync(out)]).toEqual([code, '', false])
  })

  it('refuses text, folders and models that will not do', async () => {
    const out = outOf()
    const base = ['--model', directory, '--ratio', '0.5', '--align', '8']
    const few = join(scratch, 'few.txt')
    writeFileSync(few, 'Too little.')
    const short = await runCommand(command, [...base, '--data', few, '--out', out, '--max-length', '64'])
    expect(short.err).toMatch(
      /calibration text in .*few\.txt: expected at least 128 tokens, which is one window to measure on and one to evaluate, got \d+/,
    )
    const missing = await runCommand(command, [...base, '--data', join(scratch, 'nothing'), '--out', out])
    expect([short.code, missing.code, existsSync(out)]).toEqual([3, 3, false])
    expect((await runCommand(command, [...base, '--out', out])).err).toMatch(
      /^error: --data: expected text to measure on/,
    )
    const empties = ['--ratio', '0.998', '--ratio-of', 'groups', '--targets', 'mlp', '--align', '1']
    const emptied = await runCommand(command, ['--model', directory, '--data', text, '--out', out, ...empties])
    expect(emptied.err).toMatch(/^error: --ratio: expected one that leaves something of every layer.*mlp of layer 0/m)
    expect(existsSync(out)).toBe(false)
    const same = await runCommand(command, [...base, '--data', text, '--out', directory])
    expect([same.code, same.err]).toEqual([2, expect.stringMatching(/--out: expected another folder than --model/)])
    const file = await runCommand(command, [...base, '--data', text, '--out', text])
    expect([file.code, file.err]).toEqual([2, expect.stringMatching(/--out: expected a folder, got the file/)])
    const wrong = await runCommand(command, [...base.with(1, scratch), '--data', text, '--out', out])
    expect([wrong.code, wrong.err]).toEqual([3, expect.stringMatching(/config\.json: expected a file/)])
  })

  it('leaves what was there, and with --overwrite replaces the model that was there and nothing else', async () => {
    const out = outOf()
    mkdirSync(out)
    writeFileSync(join(out, 'notes.txt'), 'mine')
    writeFileSync(join(out, 'model-00001-of-00002.safetensors'), 'old')
    const full = await anneal(out, '--ratio', '0.5')
    expect([full.code, full.err]).toEqual([2, expect.stringContaining('or give --overwrite')])
    expect((await anneal(out, '--ratio', '0.9', '--targets', 'mlp', '--overwrite')).code).toBe(2)
    expect(readdirSync(out).sort()).toEqual(['model-00001-of-00002.safetensors', 'notes.txt'])
    expect((await anneal(out, '--ratio', '0.5', '--overwrite')).code).toBe(0)
    expect(readdirSync(out)).toEqual(expect.arrayContaining(['notes.txt', 'model.safetensors', 'config.json']))
    expect(readdirSync(out)).not.toContain('model-00001-of-00002.safetensors')
  })
})
