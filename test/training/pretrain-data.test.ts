// `anneal train` with stage pretrain: how documents begin and end, what is held out, and what is left out, as people are told.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tinyModelDirectory } from '../tiny-model.ts'
import { ofType } from './tiny-model.ts'
import { annealHere, type Ended, useCacheIn } from './tiny-run.ts'

let model: Awaited<ReturnType<typeof tinyModelDirectory>>
beforeAll(async () => {
  model = await tinyModelDirectory({})
  useCacheIn(model.directory)
  const rows = Array.from({ length: 40 }, (_, i) => ({ text: `Document ${i} of forty, each a line.` }))
  writeFileSync(at('forty.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  writeFileSync(at('long.txt'), Array.from({ length: 800 }, (_, i) => `word${i}`).join(' '))
})
afterAll(() => model.remove())

const at = (name: string): string => join(model.directory, name)

function train(name: string, config: Record<string, unknown>): Promise<Ended> {
  const defaults = {
    stage: 'pretrain',
    model_name_or_path: model.directory,
    dataset: at('forty.jsonl'),
    output_dir: at(name),
    max_length: 32,
    max_steps: 2,
    save_strategy: 'no',
    device: 'cpu',
  }
  writeFileSync(at(`${name}.yaml`), JSON.stringify({ ...defaults, ...config }))
  return annealHere(['train', at(`${name}.yaml`), '--json'])
}
const tokensIn = ({ err }: Ended, name = 'train'): number =>
  Number(new RegExp(`^${name}: ([\\d,]+) tokens`, 'm').exec(err)![1]!.replaceAll(',', ''))

describe('anneal train with stage: pretrain', () => {
  it('begins documents as the tokenizer does, unless a key says otherwise, and says so', async () => {
    const usual = await train('usual', {})
    expect(usual.code, usual.err).toBe(0)
    expect(usual.err).toContain('each document begins with <s> (as the tokenizer does) and ends with </s>')
    const without = await train('without', { add_bos_token: false })
    expect(without.err).toContain('begins with no token of its own (unlike the tokenizer: add_bos_token)')
    expect(tokensIn(usual) - tokensIn(without)).toBe(40)
  })

  it('says once that control tokens in the texts are text, also from the cache, and reads them as tokens on request', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => ({ text: `Document ${i}${i < 4 ? '</s>' : ''} is short.` }))
    writeFileSync(at('spelled.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const config = { dataset: at('spelled.jsonl'), val_split: 0.5, eval_strategy: 'no' }
    const told = ({ err }: Ended): string[] => err.match(/^notice: .*control tokens.*$/gm) ?? []
    const asText = await train('as-text', config)
    expect(asText.code, asText.err).toBe(0)
    expect(told(asText)).toEqual([
      expect.stringMatching(/^notice: 4 texts spell .* such as <\/s>, .* plain text\. .*split_special_tokens: false$/),
    ])
    const again = await train('as-text-again', config)
    expect(again.err).toContain('(cached)')
    expect(told(again)).toEqual(told(asText))
    const asTokens = await train('as-tokens', { ...config, split_special_tokens: false })
    expect(told(asTokens)).toEqual([expect.stringMatching(/^notice: 4 texts spell .* are read as these tokens/)])
    // A byte is a token here, and `</s>` has four.
    const all = (ended: Ended): number => tokensIn(ended) + tokensIn(ended, 'validation')
    expect(all(asText) - all(asTokens)).toBe(4 * 3)
    expect(told(await train('nothing-spelled', {}))).toEqual([])
  })

  it('holds out passages of one long text, and evaluates on what is held out', async () => {
    const ended = await train('passages', { dataset: at('long.txt'), val_split: 0.2 })
    expect(ended.code, ended.err).toBe(0)
    expect(ended.err).toMatch(/^notice: documents are few: held out is a passage of 20 % of each long one/m)
    const held = tokensIn(ended, 'validation')
    expect(Math.abs(held / (held + tokensIn(ended)) - 0.2)).toBeLessThan(0.04)
    expect(ofType(ended.events, 'evaluation-done')).toHaveLength(1)
    expect((await train('asked-not-to', { val_split: 0.2, eval_strategy: 'no' })).err).not.toContain('eval_loss')
  })

  it('warns where the share of documents is another share of the text', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => ({ text: `${'long '.repeat(i === 0 ? 20_000 : 1)}${i}` }))
    writeFileSync(at('uneven.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const ended = await train('uneven', { dataset: at('uneven.jsonl'), val_split: 0.1 })
    expect(ended.err).toMatch(/^notice: val_split: 0\.1 of the documents is \S+ % of the tokens\. Set it otherwise/m)
  })

  it('says what was left out also when the tokens come from the cache, and takes the share from a key', async () => {
    writeFileSync(at('bad.jsonl'), `${readFileSync(at('forty.jsonl'), 'utf8')}{"text": null}\n{"text": null}\n`)
    const refused = await train('refused', { dataset: at('bad.jsonl') })
    expect(refused.code).toBe(3)
    expect(refused.err).toMatch(/got 2 of 42 \(2 missing-text.*or raise max_bad_fraction/)
    const config = { dataset: at('bad.jsonl'), max_bad_fraction: 0.1 }
    expect((await train('first', config)).err).toMatch(
      /^notice: 2 of 42 lines cannot be read and are left out \(2 missing-text, the first at .*bad\.jsonl:41\); all are in .*first\/quarantine\/train\.jsonl$/m,
    )
    expect((await train('second', config)).err).toMatch(
      /^train: .*\(cached\); 2 bad lines left out when it was tokenized$/m,
    )
  })
})
