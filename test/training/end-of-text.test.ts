// Which token ends a text where the files of a tokenizer do not say it, as those of the published GPT-2 do not.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { annealHere, makeWorkspace, type Workspace } from './tiny-run.ts'

let workspace: Workspace
let base: string
beforeAll(async () => {
  workspace = await makeWorkspace()
  base = workspace.outputOf('base')
  const made = await annealHere(workspace.words('base', { max_steps: 1, save_strategy: 'no' }))
  expect(made.code, made.err).toBe(0)
  rmSync(join(base, 'special_tokens_map.json'))
  write('tokenizer_config.json', { model_max_length: 16 })
})
afterAll(() => workspace.remove())

const read = (...names: string[]): Record<string, unknown> => JSON.parse(readFileSync(join(...names), 'utf8'))
const write = (name: string, value: object): void => writeFileSync(join(base, name), JSON.stringify(value))
const goOn = (name: string) =>
  annealHere(
    workspace.words(name, { model: undefined, model_name_or_path: base, tokenizer_name_or_path: base, max_steps: 1 }),
  )

it('is the one of config.json, and the result says so', async () => {
  const { added_tokens: added } = read(base, 'tokenizer.json') as { added_tokens: { id: number; content: string }[] }
  const end = added.find(({ id }) => id === read(base, 'config.json').eos_token_id)!.content
  const ended = await goOn('next')
  expect(ended.code, ended.err).toBe(0)
  expect(`${ended.out}${ended.err}`).toContain(`ends with ${end}`)
  expect(read(workspace.outputOf('next'), 'tokenizer_config.json').eos_token).toBe(end)
})

it('is asked for by the name of its file where config.json has none either', async () => {
  write('config.json', { ...read(base, 'config.json'), eos_token_id: null })
  const ended = await goOn('none')
  expect(ended.code).toBe(2)
  expect(ended.err).toContain('a token that ends a text (eos_token), got one without. Name it in its tokenizer_config')
})
