import { describe, expect, it } from 'vitest'
import { formatHubName, isHubName, parseHubName } from './hub-name.ts'
import { hubSettings } from './hub-settings.ts'
import { nameOfSnapshot, pinnedName } from './snapshot.ts'

const commit = '0123456789abcdef0123456789abcdef01234567'

describe('a name on the hub', () => {
  it.each([
    ['org/model', { repo: 'org/model', revision: 'main', part: undefined }],
    [
      'HuggingFaceTB/SmolLM2-135M_x.1@v1.0',
      { repo: 'HuggingFaceTB/SmolLM2-135M_x.1', revision: 'v1.0', part: undefined },
    ],
    ['org/model@refs/pr/1:Q4_K_M', { repo: 'org/model', revision: 'refs/pr/1', part: 'Q4_K_M' }],
    [`org/model@${commit}:sub/model.gguf`, { repo: 'org/model', revision: commit, part: 'sub/model.gguf' }],
  ])('%s is read and written back', (text, name) => {
    expect(parseHubName(text)).toEqual(name)
    expect(formatHubName(parseHubName(text))).toBe(text)
    expect(isHubName(text)).toBe(true)
  })
  it.each([
    'model',
    'gpt2',
    'a/b/c',
    '/etc/passwd',
    './org/model',
    '../org',
    'org/..',
    'org/.model',
    'org/a..b',
    'org/a--b',
    'org/model.git',
    'org/',
    '/model',
    '~/model',
    'C:\\models',
    'org\\model',
    'org/mo del',
    'org/mod\u0000el',
    'org/mod\nel',
    `org/${'a'.repeat(93)}`,
    'org/model@',
    'org/model@../x',
    'org/model@a//b',
    'org/model@/a',
    'org/model@.hidden',
    'org/model@-x',
    'org/model@a b',
    `org/model@${'a'.repeat(256)}`,
    'org/model:',
    'org/model:../x',
    'org/model:/x',
    'org/model:a\\b',
    'org/model:a\nb',
    `org/model:${'a'.repeat(1025)}`,
    'https://huggingface.co/org/model/discussions/1',
    'https://huggingface.co/org/model/blob/main/%2e%2e/x',
    'https://huggingface.co/org/model/blob/main/%zz',
    'https://example.com/org/model',
    'örg/model',
    '',
  ])('%j is none', (text) => {
    expect(() => parseHubName(text)).toThrow(/^name on the hub: expected/)
    expect(isHubName(text)).toBe(false)
  })
  it.each([
    ['https://huggingface.co/org/model', 'org/model'],
    ['huggingface.co/org/model/', 'org/model'],
    ['https://huggingface.co/org/model/tree/main', 'org/model'],
    ['https://huggingface.co/org/model/tree/refs%2Fpr%2F1?show=all', 'org/model@refs/pr/1'],
    ['https://hf.co/org/model/blob/v2/sub/model%20a.gguf', 'org/model@v2:sub/model a.gguf'],
    ['https://huggingface.co/datasets/org/rows/resolve/main/en.csv?download=true', 'org/rows:en.csv'],
    ['https://huggingface.co/datasets/org/rows#card', 'org/rows'],
  ])('is read from the address %s', (address, name) => {
    expect(formatHubName(parseHubName(address))).toBe(name)
    expect(isHubName(address)).toBe(true)
  })
  it('may have a colon in the configuration of a dataset', () => {
    expect(parseHubName('org/rows@v1:en:formal/train').part).toBe('en:formal/train')
    expect(formatHubName(parseHubName('org/rows@v1:en:formal/train'))).toBe('org/rows@v1:en:formal/train')
  })
  it('is not what ends as a file does', () => {
    for (const text of ['runs/model.gguf', 'data/rows.jsonl', 'recipes/run.yaml']) expect(isHubName(text)).toBe(false)
  })
})

it('a place in a cache has a name with its commit, any other place has none', () => {
  const folder = `/cache/hub/models--org--small-1.5b/snapshots/${commit}`
  expect(pinnedName(folder)).toBe(`org/small-1.5b@${commit}`)
  expect(nameOfSnapshot(`${folder}/sub/model.gguf`)).toEqual({
    repo: 'org/small-1.5b',
    revision: commit,
    part: 'sub/model.gguf',
  })
  expect(pinnedName('/models/org/small')).toBe('/models/org/small')
  expect(nameOfSnapshot('/cache/hub/models--org--small/snapshots/main')).toBeUndefined()
})

describe('the variables of huggingface_hub', () => {
  const of = (environment: Record<string, string>) => hubSettings({ HOME: '/home/me', ...environment })
  it('say where the cache is, the narrower ones first', () => {
    expect(of({ HF_HOME: '/hf' }).cache).toBe('/hf/hub')
    expect(of({ XDG_CACHE_HOME: '/xdg' }).cache).toBe('/xdg/huggingface/hub')
    expect(of({ HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/old' }).cache).toBe('/old')
    expect(of({ HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/old', HF_HUB_CACHE: '/new' }).cache).toBe('/new')
    expect(of({ HF_HOME: '$BIG/hf', BIG: '/disk' }).cache).toBe('/disk/hf/hub')
  })
  it('say where the hub is, and that it is not to be asked', () => {
    expect(of({})).toMatchObject({ endpoint: 'https://huggingface.co', isOffline: false })
    expect(of({ HF_ENDPOINT: 'https://hf-mirror.com/', HF_HUB_OFFLINE: '1' })).toMatchObject({
      endpoint: 'https://hf-mirror.com',
      isOffline: true,
    })
    expect(of({ TRANSFORMERS_OFFLINE: 'yes' }).isOffline).toBe(true)
    for (const wrong of ['hf-mirror.com', 'file:///x', 'https://me:secret@hub', 'https://hub?x=1'])
      expect(() => of({ HF_ENDPOINT: wrong })).toThrow(
        /^HF_ENDPOINT: expected the address of a hub, such as https:\/\/huggingface\.co, got something else$/,
      )
  })
  it('give a token, which no error shows', () => {
    expect(of({ HF_HOME: '/nowhere' }).token).toBeUndefined()
    expect(of({ HF_TOKEN: ' hf_x\n' })).toMatchObject({ token: 'hf_x', tokenFrom: 'HF_TOKEN' })
    expect(of({ HF_TOKEN: 'hf_x', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' }).token).toBeUndefined()
    expect(() => of({ HF_TOKEN: 'hf_secret hf_two' })).toThrow(
      /^HF_TOKEN: expected a token of the hub, which is one word, got something else\. Correct or unset it$/,
    )
  })
})

it('is understood as a browser shows it, and with the owner that a name of old has now', () => {
  for (const text of [
    'hf.co/org/x@v2:Q4_0',
    'https://huggingface.co/org/x@v2:Q4_0',
    'https://hf.co/datasets/org/x@v2:Q4_0',
  ])
    expect(parseHubName(text)).toEqual({ repo: 'org/x', revision: 'v2', part: 'Q4_0' })
  expect(() => parseHubName('gpt2')).toThrow('got "gpt2". Did you mean \'openai-community/gpt2\'?')
})
