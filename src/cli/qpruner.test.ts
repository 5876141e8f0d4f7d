import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { writeTextModel } from '../../test/text-model.ts'
import { command } from './qpruner.ts'

const root = mkdtempSync(join(tmpdir(), 'anneal-qpruner-command-'))
const at = (name: string): string => join(root, name)

beforeAll(async () => {
  const { model, text } = await writeTextModel(root)
  writeFileSync(
    at('q.yaml'),
    `model_name_or_path: ${model}
dataset: ${text}
output_dir: ${at('run')}
device: cpu
calibration: {samples: 4, length: 32, batch_size: 2}
prune: {ratio: 0.2, layout: per-layer, align: 8}
quantize: {budget_bits: 3.2, evaluations: 0, quantizer: rtn}
recover: {max_steps: 1}
`,
  )
})
afterAll(() => rmSync(root, { recursive: true }))

const anneal = (...words: string[]): ReturnType<typeof runCommand> => runCommand(command, [at('q.yaml'), ...words])

describe('anneal qpruner', () => {
  it('does what the file says but for what the command line says', async () => {
    const words = ['--no-recover', '--no-prune', '--quantize.budget_bits', '4', '--output_dir', at('other')]
    const { code, out, err } = await anneal(...words)
    expect([code, err]).toEqual([0, expect.stringContaining('notice: calibration.length (older Anneal) is called')])
    expect(out).toMatch(/^original +[\d.]+ kB {2}loss \d\.\d{4} {2}perplexity/)
    expect(out).toMatch(/\nquantized .*\nformats {5}\d\.\d\d bits per weight: [\w ]+\n→ /)
    expect(out).not.toMatch(/pruned|recovered/)
    expect(existsSync(at('run'))).toBe(false)
    const saved = readFileSync(join(at('other'), 'qpruner_config.yaml'), 'utf8')
    expect(saved).toMatch(/^quantize:\n {2}budget_bits: 4 # --quantize\.budget_bits$/m)
    expect(saved).not.toContain('prune:')
    expect((await anneal(...words)).err).toContain('quantized: done before')
  }, 30_000)

  it('says with --dry-run what it would do, and leaves nothing', async () => {
    const { code, out, err } = await anneal('--dry-run', '--prune.ratio', '0.3')
    expect(code, err).toBe(0)
    expect(err).toMatch(/^calibration: 4 windows of 32 tokens/m)
    for (const stage of ['pruned', 'allocated', 'quantized', 'recovered']) expect(err).toContain(`${stage}: to be made`)
    expect(out).toMatch(/^prune:\n {2}ratio: 0\.3 # --prune\.ratio\n {2}importance: taylor-element # default$/m)
    expect(out).toMatch(/^ {2}layout: per-layer # .*q\.yaml:6:21$/m)
    expect(existsSync(at('run'))).toBe(false)
    const { out: json } = await anneal('--dry-run', '--json')
    const last = JSON.parse(json.trim().split('\n').at(-1)!)
    expect(last).toMatchObject({ prune: { ratio: 0.2 }, calibration: { max_length: 32 } })
  })

  it.each<[string[], number, string]>([
    [['--quantize.budget_bits', '1.5'], 2, 'error: quantize.budget_bits: expected at least 2.5 bits per weight'],
    [
      ['--quantize.budget_bit', '4'],
      2,
      "error: unknown key 'quantize.budget_bit'. Did you mean 'quantize.budget_bits'?",
    ],
    [['--dry-run', '--quantize.budget_bits', '1'], 2, 'expected at least 2.5 bits per weight, which nf2,'],
    [['--dry-run', '--dataset', 'nowhere'], 3, 'error: '],
    [['another.yaml'], 2, "error: unexpected argument 'another.yaml'"],
  ])('says in one line what is wrong with %j, and leaves nothing behind', async (words, code, message) => {
    const ended = await anneal(...words, '--no-prune')
    expect([ended.code, ended.err.trim().split('\n').at(-1)]).toEqual([code, expect.stringContaining(message)])
    expect(existsSync(at('run'))).toBe(false)
  })

  it('says that there is no file', async () => {
    expect(await runCommand(command, [at('none.yaml')])).toMatchObject({
      code: 3,
      err: `error: configuration ${at('none.yaml')}: expected a YAML file, got nothing. Check the path\n`,
    })
  })
})
