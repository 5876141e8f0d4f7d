// From a sweep's evaluations to correlations and a page; what cannot be joined is one clear line.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { resultOf } from '../../work.ts'
import { runTransfer } from './run-transfer.ts'
import type { TransferResult } from './transfer-result.ts'

const MODEL = fileURLToPath(new URL('../../../test/fixtures/evaluation/suites/model', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'transfer-'))
afterAll(() => rmSync(folder, { recursive: true }))
const write = (name: string, text: string): string => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

const LANGUAGES = ['en', 'fr', 'da', 'sv', 'mt']
const BEFORE = [1, 2, 1, 4, 1]
const AFTER = [0.2, 1, 0.6, 3.2, 0.9] // −80, −50, −40, −20, −10 %
const evaluated = (values: readonly number[]): object[] =>
  LANGUAGES.map((label, i) => ({ label, metrics: { 'pairs log_ratio': values[i], 'pairs acc': 0.5 }, asked: {} }))
const row = (arm: string, seed: number, values: readonly number[]): object => ({
  name: `${arm}-${seed}`,
  settings: { arm, seed: String(seed) },
  status: 'done',
  metrics: { train_loss: 1 },
  config: { model_name_or_path: MODEL },
  evaluated: evaluated(values),
})
const sweep = {
  rows: [row('dpo', 1, AFTER), row('dpo', 2, AFTER)],
  before: [{ model: MODEL, evaluated: evaluated(BEFORE) }],
}
write('sweep.json', JSON.stringify(sweep))
const shares = write(
  'shares.csv',
  'language,share,distance\nen,0.6,0\nfr,0.2,0.1\nda,0.1,0.3\nsv,0.06,0.2\nmt,0.04,0.9\nis,0.01,0.3\n',
)
const asked = { sweep: folder, metric: 'log_ratio', source: 'en' }

async function found(options: object): Promise<{ result: TransferResult; notices: string[]; lines: string[] }> {
  const notices: string[] = []
  let lines: readonly string[] = []
  const work = runTransfer({ ...asked, ...options })
  for (;;) {
    const next = await work.next()
    if (next.done) return { result: next.value, notices, lines: [...lines] }
    if (next.value.type === 'notice') notices.push(next.value.message)
    if (next.value.type === 'result') lines = next.value.lines ?? []
  }
}

describe('anneal transfer', () => {
  it('tells mitigation by language and what it goes with', async () => {
    const { result, notices, lines } = await found({ predictors: shares, covariates: ['before'] })
    expect(result.metric).toBe('pairs log_ratio')
    expect(result.rows.filter(({ seed }) => seed === '1').map(({ mitigation }) => Math.round(mitigation))).toEqual([
      -80, -50, -40, -20, -10,
    ])
    const [share, distance] = result.correlations
    // Four languages in the order of their shares: of 24 orders two are as far out.
    expect(share).toMatchObject({ setting: 'arm dpo', predictor: 'share', languages: { rho: -1, p: 2 / 24, n: 4 } })
    expect(distance!.languages!.rho).toBeCloseTo(0.8, 12)
    expect(share!.beside!.covariates).toEqual(['before'])
    expect(notices).toEqual(['not measured, and in no correlation: is'])
    expect(lines).toContain('| arm dpo | -80.0 ± 0.0 | -50.0 ± 0.0 | -40.0 ± 0.0 | -20.0 ± 0.0 | -10.0 ± 0.0 |')
    expect(JSON.parse(readFileSync(join(folder, 'transfer.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(result)))
    const page = readFileSync(join(folder, 'transfer.html'), 'utf8')
    expect(page).toContain('Mitigation by share')
    expect(page).toContain('Mitigation by distance')
  })
  it('counts shares, and reads parallel sentences with the model of the sweep', async () => {
    const text = (bytes: number): string => 'a'.repeat(bytes)
    const sizes = [600, 200, 100, 60, 40]
    const pretraining = LANGUAGES.map((language, i) => `${language}=${write(`${language}.txt`, text(sizes[i]!))}`)
    const parallel = LANGUAGES.map(
      (language, i) =>
        `${language}=${write(`${language}-flores.txt`, ['one\n', 'two\n', `${'x'.repeat(i)}three\n`].join(''))}`,
    )
    const { result } = await found({ pretraining, parallel })
    const value = (language: string, name: string): number =>
      result.known.find((one) => one.language === language && name in one.values)!.values[name]!
    expect(LANGUAGES.map((language) => value(language, 'share'))).toEqual([0.6, 0.2, 0.1, 0.06, 0.04])
    for (const language of LANGUAGES.slice(1)) {
      expect(value(language, 'subword_overlap')).toBeGreaterThan(0)
      expect(value(language, 'subword_overlap')).toBeLessThan(1)
      expect(Math.abs(value(language, 'sentence_similarity'))).toBeLessThanOrEqual(1 + 1e-6)
    }
    expect(result.correlations.map(({ predictor }) => predictor)).toEqual([
      'share',
      'subword_overlap',
      'sentence_similarity',
    ])
  })

  it('leaves out of parallel texts what is blank in all, and hears neither CRLF nor a byte order mark', async () => {
    const of = async (change: (text: string) => string): Promise<unknown> => {
      const parallel = LANGUAGES.map((language, i) => {
        const text = change(`one\n\ntwo\n${'x'.repeat(i)}three\n`)
        return `${language}=${write(`${language}-blank.txt`, text)}`
      })
      return (await found({ parallel })).result.known
    }
    const plain = await of((text) => text.replace('\n\n', '\n'))
    expect(await of((text) => text)).toEqual(plain)
    expect(await of((text) => `\ufeff${text.replaceAll('\n', '\r\n')}\r\n`)).toEqual(plain)
  })

  const without = write('without.csv', 'language,share\nen,0.6\nfr,0.2\nda,0.1\nsv,0.1\n')
  const twice = write('twice.csv', 'language,share\nfr,0.6\nfr,0.2\n')
  const words = write('words.csv', 'language,share\nfr,much\n')
  const nameless = write('nameless.csv', 'lang,share\nfr,1\n')
  const flat = write('flat.csv', 'language,share\nfr,1\nda,1\nsv,1\nmt,1\n')
  const two = write('two.txt', 'one\ntwo\n')
  const one = write('one.txt', 'one\n')
  it.each<[string, object, RegExp]>([
    [
      'a language that is not known',
      { predictors: without },
      /share: expected a value for mt, which was measured, got only en, fr, da, sv/,
    ],
    ['a language twice', { predictors: twice }, /twice\.csv:3: expected each language once, got fr again/],
    ['words for numbers', { predictors: words }, /words\.csv:2: expected a number for share, got "much"/],
    ['rows without a language', { predictors: nameless }, /nameless\.csv:2: expected a language, got nothing/],
    [
      'a column that is the same throughout',
      { predictors: flat },
      /share and mitigation: expected values of share that differ, got 1 throughout/,
    ],
    [
      'a source that was not measured',
      { predictors: shares, source: 'es' },
      /source: expected one of the languages that were measured/,
    ],
    [
      'a metric that is not there',
      { predictors: shares, metric: 'emt' },
      /sweep\.json: expected one of the metrics pairs log_ratio, pairs acc, got emt/,
    ],
    [
      'sentences that are not parallel',
      { parallel: [`en=${two}`, `fr=${one}`] },
      /as many sentences of fr as of en, got 1 line and 2/,
    ],
    [
      'a sentence that is missing between others',
      {
        parallel: [`en=${write('gap.txt', 'one\n\nthree\nfour\n')}`, `fr=${write('gap2.txt', 'un\ndeux\n\nquatre\n')}`],
      },
      /expected a sentence of en in line 2, as of fr, got a blank line\. Line n of both must say the same/,
    ],
    [
      'a line that cannot be read, where those behind it would move up',
      { parallel: [`en=${two}`, `fr=${write('nul.txt', 'u\0n\ndeux\ntrois\n')}`] },
      /nul\.txt:1.*NUL/is,
    ],
    [
      'a language of parallel texts twice',
      { parallel: [`en=${two}`, `en=${two}`] },
      /parallel: expected each language once, got en again/,
    ],
    [
      'a language of pre-training twice',
      { pretraining: [`en=${two}`, `fr=${two}`, `en=${one}`] },
      /pretraining: expected each language once, got en again/,
    ],
    [
      'a share of a table and a counted one',
      { predictors: shares, pretraining: [`fr=${two}`] },
      /expected one value of share for fr, got one in the table and one of texts/,
    ],
    ['sentences without the source', { parallel: [`fr=${one}`] }, /parallel: expected sentences of en/],
    [
      'a text without a language',
      { pretraining: [one] },
      /pretraining: expected a language and a path such as da=texts\.txt/,
    ],
    ['nothing to go with', {}, /predictors: expected a table of languages/],
    [
      'no sweep',
      { sweep: join(folder, 'nowhere'), predictors: shares },
      /nowhere.*expected the result of a sweep, got none/,
    ],
  ])('refuses %s in one line', async (_, options, message) => {
    await expect(resultOf(runTransfer({ ...asked, ...options }))).rejects.toThrow(message)
  })
  it('needs three languages beside the source', async () => {
    const few = mkdtempSync(join(folder, 'few-'))
    const cut = (one: { evaluated: object[] }): object => ({ ...one, evaluated: one.evaluated.slice(0, 3) })
    const rows = sweep.rows.map((each) => cut(each as { evaluated: object[] }))
    writeFileSync(join(few, 'sweep.json'), JSON.stringify({ rows, before: sweep.before.map(cut) }))
    await expect(resultOf(runTransfer({ ...asked, sweep: few, predictors: shares }))).rejects.toThrow(
      /at least 3 pairs, got 2\. Measure more/,
    )
  })
})
