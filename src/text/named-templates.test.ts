import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tinyTokenizer } from '../../test/tiny-model.ts'
import { TokenizerError } from '../errors.ts'
import { encodeChat } from './chat-encoding.ts'
import { Tokenizer } from './tokenizer.ts'

let directory: string
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-templates-'))
  await tinyTokenizer().save(directory)
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const configure = (change: object): void => {
  const path = join(directory, 'tokenizer_config.json')
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...change }))
}
const list = (...names: string[]): object => ({ chat_template: names.map((name) => ({ name, template: `a ${name}` })) })

describe('templates of a tokenizer', () => {
  it('are chosen as Transformers does: with tools the one named tool_use, else default', async () => {
    configure(list('rag', 'tool_use', 'default'))
    const tokenizer = await Tokenizer.fromDirectory(directory)
    expect(tokenizer.chatTemplateFor(undefined)).toBe('a default')
    expect(tokenizer.chatTemplateFor([{}])).toBe('a tool_use')
    configure(list('rag', 'default'))
    expect((await Tokenizer.fromDirectory(directory)).chatTemplateFor([{}])).toBe('a default')
  })

  it('come from files first', async () => {
    configure(list('default', 'tool_use', 'rag'))
    writeFileSync(join(directory, 'chat_template.jinja'), 'own')
    mkdirSync(join(directory, 'additional_chat_templates'))
    writeFileSync(join(directory, 'additional_chat_templates', 'tool_use.jinja'), 'of a file')
    const tokenizer = await Tokenizer.fromDirectory(directory)
    expect([tokenizer.chatTemplateFor(undefined), tokenizer.chatTemplateFor([])]).toEqual(['own', 'of a file'])
  })

  it('are an error where none is named default', async () => {
    configure(list('rag', 'tool_use'))
    const tokenizer = await Tokenizer.fromDirectory(directory)
    expect(tokenizer.chatTemplateFor([{}])).toBe('a tool_use')
    expect(() => tokenizer.chatTemplateFor(undefined)).toThrow(TokenizerError)
    expect(() => tokenizer.chatTemplateFor(undefined)).toThrow(/expected one named default, got rag, tool_use/)
  })

  it('are all there after saving', async () => {
    configure(list('default', 'tool_use'))
    const copy = join(directory, 'copy')
    await (await Tokenizer.fromDirectory(directory)).save(copy)
    const config = JSON.parse(readFileSync(join(copy, 'tokenizer_config.json'), 'utf8')) as object
    expect(config).toMatchObject(list('default', 'tool_use'))
    expect(readFileSync(join(copy, 'additional_chat_templates', 'tool_use.jinja'), 'utf8')).toBe('a tool_use')
    expect((await Tokenizer.fromDirectory(copy)).chatTemplateFor([{}])).toBe('a tool_use')
  })

  it('get the tokens that have a name, and nothing for those without one', async () => {
    configure({ bos_token: null, pad_token: '<unk>', image_token: '<|im_start|>', add_bos_token: true })
    rmSync(join(directory, 'special_tokens_map.json'))
    const template =
      '{{ bos_token is defined }} {{ eos_token }} {{ pad_token }} {{ unk_token }} {{ image_token }} {{ add_bos_token is defined }}'
    const { text } = encodeChat(await Tokenizer.fromDirectory(directory), template, { messages: [] })
    expect(text).toBe('False </s> <unk> <unk> <|im_start|> False')
  })
})
