// A wrapper made of the Gemma 3 fixture: the text part must compute what the fixture computes, whatever the names are.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fixtures, idsOf, readJson } from '../../../test/decoder-fixtures.ts'
import { checkDirectory } from '../../check/check-directory.ts'
import { Findings } from '../../check/finding.ts'
import type { Decoder } from '../../model/decoder.ts'
import { noGrad, scope } from '../../torch/index.ts'
import { readHeader } from '../safetensors/safetensors.ts'
import { loadDecoder } from './load.ts'
import { writeModelWeights } from './model-weights.ts'
import { saveDecoder } from './save.ts'

const root = mkdtempSync(join(tmpdir(), 'anneal-wrapper-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** A wrapper's directory; `rename` gives the names of the text part's tensors. */
function wrapper(rename: (name: string) => string): string {
  const directory = mkdtempSync(join(root, 'model-'))
  const file = join(fixtures, 'gemma3', 'model.safetensors')
  const bytes = readFileSync(file)
  const text = [...readHeader(file).tensors].map(([name, { dtype, shape, begin, end }]) => ({
    name: rename(name),
    dtype,
    shape,
    bytes: () => bytes.subarray(begin, end),
  }))
  const image = { name: 'vision_tower.patch.weight', dtype: 'F32' as const, shape: [2], bytes: () => Buffer.alloc(8) }
  writeModelWeights(directory, [...text, image], { metadata: { format: 'pt' } })
  const config = {
    model_type: 'gemma3',
    architectures: ['Gemma3ForConditionalGeneration'],
    text_config: readJson('gemma3', 'config.json'),
    vision_config: { hidden_size: 8 },
    eos_token_id: [2, 5],
    mm_tokens_per_image: 4,
  }
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
  return directory
}

const logits = (model: Decoder): number[] =>
  noGrad(() => scope(() => model.forward({ inputIds: idsOf([[1, 7, 42, 9, 3]]) }).toArray()))

const LAYOUTS: [string, (name: string) => string][] = [
  ['Transformers 4 and published files', (name) => `language_model.${name}`],
  ['Transformers 5', (name) => name.replace('model.', 'model.language_model.')],
  ['Idefics', (name) => name.replace('model.', 'model.text_model.')],
]

describe('the text part of a wrapper', () => {
  it.each(LAYOUTS)('loads, exports and checks as the model that it is, in the names of %s', async (_, rename) => {
    const alone = loadDecoder(join(fixtures, 'gemma3'))
    const directory = wrapper(rename)
    const model = loadDecoder(directory)
    expect(logits(model)).toEqual(logits(alone))
    expect(model.config).toMatchObject({ wrapperType: 'gemma3', eosTokenIds: [2] })

    const saved = mkdtempSync(join(root, 'saved-'))
    saveDecoder(model, saved)
    expect(readHeader(join(saved, 'model.safetensors')).tensors.has('model.embed_tokens.weight')).toBe(true)
    const again = loadDecoder(saved)
    expect(again.config.wrapperType).toBeUndefined()
    expect(logits(again)).toEqual(logits(alone))
    for (const each of [alone, model, again]) each.free()

    const findings = new Findings()
    await checkDirectory(directory, findings)
    expect(findings.all.filter(({ severity, for: whom }) => severity === 'error' && whom.length === 0)).toEqual([])
    expect(findings.all.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^a gemma3 model: its text part/),
    )
  })
})
