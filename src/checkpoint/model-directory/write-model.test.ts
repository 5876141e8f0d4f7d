import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomDecoder } from '../../../test/random-decoder.ts'
import { VERSION } from '../../version.ts'
import { companionsOf, isModelEntry } from './companions.ts'
import { hashWeights } from './hash-weights.ts'
import { readLineage } from './lineage.ts'
import { saveDecoder } from './save.ts'
import { saveEdited } from './write-model.ts'

let folder: string
let from: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-companions-'))
  from = join(folder, 'from')
  mkdirSync(join(from, 'additional_chat_templates'), { recursive: true })
  saveDecoder(randomDecoder(1), from)
  for (const [name, text] of Object.entries(ALONG)) writeFileSync(join(from, name), text)
  for (const name of ['README.md', 'training_args.bin', 'optimizer.safetensors']) writeFileSync(join(from, name), 'no')
})
afterAll(() => rmSync(folder, { recursive: true }))

const ALONG = {
  'tokenizer.json': '{}',
  'tokenizer_config.json': '{"a": 1}',
  'tokenizer.model': 'pieces',
  'special_tokens_map.json': '{}',
  'added_tokens.json': '{}',
  'vocab.json': '{}',
  'merges.txt': '',
  'chat_template.jinja': '{{ messages }}',
  'additional_chat_templates/tool_use.jinja': '{{ tools }}',
  'generation_config.json': '{"temperature": 0.3}',
  LICENSE: 'Apache',
  'LICENSE.txt': 'more',
  NOTICE: 'notice',
  'USE_POLICY.md': 'policy',
}

describe('what comes along with a model', () => {
  it('is tokenizer, templates, settings and licence, and nothing else', () => {
    expect(companionsOf(from).sort()).toEqual(Object.keys(ALONG).sort())
    expect(companionsOf(from, ['licence']).sort()).toEqual(['LICENSE', 'LICENSE.txt', 'NOTICE', 'USE_POLICY.md'])
  })

  it('is copied by an edit, which replaces the model that was there and leaves the rest', async () => {
    const to = join(folder, 'to')
    mkdirSync(join(to, 'checkpoint-1'), { recursive: true })
    const old = [
      'model-00001-of-00002.safetensors',
      'model.safetensors.index.json',
      'spiece.model',
      'adapter_config.json',
    ]
    for (const name of [...old, 'notes.txt', 'model.safetensors.gz']) writeFileSync(join(to, name), 'old')
    chmodSync(join(from, 'LICENSE'), 0o444)
    await saveEdited(randomDecoder(2), from, to, { pass: 'prune', options: { ratio: 0.5 }, report: {} })
    for (const [name, text] of Object.entries(ALONG)) expect(readFileSync(join(to, name), 'utf8')).toBe(text)
    writeFileSync(join(to, 'LICENSE'), 'may be written')
    for (const name of old) expect(existsSync(join(to, name)), name).toBe(false)
    expect(readdirSync(to)).toEqual(expect.arrayContaining(['notes.txt', 'model.safetensors.gz', 'checkpoint-1']))
    expect(readLineage(to)).toMatchObject([
      { pass: 'prune', options: { ratio: 0.5 }, annealVersion: VERSION, parentSha256: hashWeights(from) },
    ])
  })

  it('tells the files of a model from others', () => {
    for (const name of [...Object.keys(ALONG).filter((each) => !each.includes('/')), 'config.json', 'lineage.json'])
      expect(isModelEntry(name), name).toBe(true)
    for (const name of ['notes.txt', 'optimizer.safetensors', 'checkpoint-1', 'models', 'my_tokenizer_notes.md'])
      expect(isModelEntry(name), name).toBe(false)
  })
})

it('has the version of package.json', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  expect(VERSION).toBe(version)
})
