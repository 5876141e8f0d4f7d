import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand, textSink } from '../../test/run-command.ts'
import { tinyModelDirectory } from '../../test/tiny-model.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import type { GenerateOptions } from '../lm/lm.ts'
import { command, generate } from './generate.ts'
import { createOutput } from './output.ts'

describe('generate', () => {
  const run = async (text: string, isJson: boolean, isTTY = false) => {
    const [stdout, stderr] = [textSink(isTTY), textSink()]
    await generate(fakeLm({ reply: () => text }), { prompt: 'x' }, createOutput(isJson, stdout, stderr))
    return { out: stdout.text, err: stderr.text }
  }

  it('writes the continuation to standard output and about it to standard error', async () => {
    const { out, err } = await run('Hello.', false)
    expect(out).toBe('Hello.\n')
    expect(err).toMatch(/^7 tokens, [\d.,]+( [kMG])? tokens\/s; the text ended\n$/)
  })

  it('says which limit ended the text, to people and to programs', async () => {
    const limited = async (maxNewTokens: number, isJson: boolean) => {
      const [stdout, stderr] = [textSink(), textSink()]
      const lm = fakeLm({ reply: () => 'a long answer', contextLength: 8 })
      await generate(lm, { prompt: 'abc', maxNewTokens }, createOutput(isJson, stdout, stderr))
      return isJson ? JSON.parse(stdout.text) : stderr.text
    }
    expect(await limited(4, false)).toMatch(/^4 tokens.*; the limit of 4 tokens was reached\n$/)
    expect(await limited(5, false)).toMatch(/; the limit of 5 tokens was reached\n$/)
    expect(await limited(400, false)).toMatch(/^5 tokens.*; the context of 8 tokens is full\n$/)
    expect(await limited(4, true)).toMatchObject({ finish_reason: 'length', limit: 'max_new_tokens' })
    expect(await limited(400, true)).toMatchObject({ finish_reason: 'length', limit: 'context' })
  })

  it('writes one object and nothing else with --json', async () => {
    const { out, err } = await run('Hi\u001b[2J', true)
    expect(out).toBe('{"text":"Hi\\u001b[2J","token_ids":[72,105,27,91,50,74,0],"finish_reason":"stop"}\n')
    expect(err).toBe('')
  })

  it('says which stop ended the text, and how many guesses were right', async () => {
    const ended = async (request: GenerateOptions, isJson: boolean) => {
      const [stdout, stderr] = [textSink(), textSink()]
      const lm = fakeLm({ reply: () => 'one\ntwo' })
      await generate(lm, { prompt: 'x', ...request }, createOutput(isJson, stdout, stderr))
      return isJson ? JSON.parse(stdout.text) : stderr.text
    }
    expect(await ended({ stop: ['\n'] }, false)).toMatch(/; the stop text "\\n" came\n$/)
    expect(await ended({ stop: ['\n'] }, true)).toMatchObject({ finish_reason: 'stop', stop_reason: '\n' })
    expect(await ended({ stopTokenIds: [110] }, true)).toMatchObject({ finish_reason: 'stop', stop_reason: 110 })
    expect(await ended({}, true)).not.toHaveProperty('stop_reason')
    expect(await ended({ promptLookup: 3 }, true)).toMatchObject({ draft_tokens: 0, accepted_draft_tokens: 0 })
  })

  it('writes log-probabilities with --json, equal ones with equal digits', async () => {
    const stdout = textSink()
    const lm = fakeLm({ reply: () => 'b', logProb: (ids, index) => -ids[index]! / 7, candidates: () => [97] })
    await generate(lm, { prompt: 'x', topLogprobs: 2 }, createOutput(true, stdout, textSink()))
    const [a, b, end] = [-13.85714, -14, 0]
    expect(JSON.parse(stdout.text).logprobs).toEqual([
      {
        id: 98,
        token: 'b',
        logprob: b,
        top: [
          { id: 97, token: 'a', logprob: a },
          { id: 98, token: 'b', logprob: b },
        ],
      },
      {
        id: 0,
        token: '',
        logprob: end,
        top: [
          { id: 0, token: '', logprob: end },
          { id: 97, token: 'a', logprob: a },
        ],
      },
    ])
  })

  it('shows a terminal no escapes, and hands them to a pipe', async () => {
    expect((await run('a\u001b[2Jb', false, true)).out).toBe('a\\u001b[2Jb\n')
    expect((await run('a\u001b[2Jb', false)).out).toBe('a\u001b[2Jb\n')
  })
})

describe('anneal generate', async () => {
  const { directory, remove } = await tinyModelDirectory()
  afterAll(remove)
  const anneal = (...words: string[]) => runCommand(command, ['--model', directory, ...words])

  it('gives the same text streamed, as JSON and from a file', async () => {
    const words = ['--max-new-tokens', '12', '--temperature', '1', '--seed', '5']
    const streamed = await anneal('--prompt', 'Once', ...words)
    const { text, token_ids, finish_reason } = JSON.parse((await anneal('--prompt', 'Once', '--json', ...words)).out)
    expect([streamed.code, streamed.out]).toEqual([0, `${text}\n`])
    expect([token_ids.length, finish_reason]).toEqual([12, 'length'])
    const full = await anneal('--prompt', 'x'.repeat(500), '--max-new-tokens', '400', '--json')
    expect(JSON.parse(full.out)).toMatchObject({ finish_reason: 'length', limit: 'context' })
    const file = join(directory, 'prompt.txt')
    writeFileSync(file, 'Once\n')
    expect((await anneal('--prompt-file', file, ...words)).out).toBe(streamed.out)
  })

  it('takes sampling and end tokens from generation_config.json', async () => {
    const greedy = JSON.parse((await anneal('--prompt', 'a', '--max-new-tokens', '8', '--json')).out)
    const other = await tinyModelDirectory({
      generationConfig: { max_new_tokens: 8, eos_token_id: [2, greedy.token_ids[3]] },
    })
    const { out } = await runCommand(command, ['--model', other.directory, '--prompt', 'a', '--json'])
    other.remove()
    expect(JSON.parse(out)).toMatchObject({ finish_reason: 'stop' })
    expect(JSON.parse(out).token_ids.at(-1)).toBe(greedy.token_ids[3])
  })

  it('follows suppress_tokens and names in one line what it does not follow', async () => {
    const greedy = JSON.parse((await anneal('--prompt', 'a', '--max-new-tokens', '8', '--json')).out)
    const other = await tinyModelDirectory({
      generationConfig: { suppress_tokens: [greedy.token_ids[0]], num_beams: 4, typical_p: 0.5, top_p: 0.9 },
    })
    const words = ['--model', other.directory, '--prompt', 'a', '--max-new-tokens', '8', '--json']
    const { out, err } = await runCommand(command, words)
    other.remove()
    expect(JSON.parse(out).token_ids).not.toContain(greedy.token_ids[0])
    expect(err.match(/notice: .*/g)).toEqual([
      expect.stringMatching(/generation_config\.json .*: num_beams 4, typical_p 0\.5$/),
    ])
  })

  it('says of every token how probable it was, whichever it took', async () => {
    const words = ['--prompt', 'a', '--max-new-tokens', '5', '--json']
    const greedy = JSON.parse((await anneal(...words, '--top-logprobs', '3')).out)
    const ids = greedy.logprobs.map(({ id }: { id: number }) => id)
    expect(ids).toEqual(greedy.token_ids)
    for (const { id, logprob, top } of greedy.logprobs) {
      expect(top).toHaveLength(3)
      expect(top[0]).toMatchObject({ id, logprob })
    }
    const banned = JSON.parse((await anneal(...words, '--logprobs', '--logit-bias', `${ids[0]}=-100`)).out)
    expect(banned.token_ids).not.toContain(ids[0])
    expect(banned.logprobs[0]).toEqual(greedy.logprobs[0].top[1]) // the model’s own, without the bias
  })

  it('says what changes nothing, and what is no line end', async () => {
    const words = ['--prompt', 'a', '--max-new-tokens', '2']
    const notices = async (...more: string[]) => (await anneal(...words, ...more)).err.match(/notice: .*/g) ?? []
    expect(await notices('--seed', '3', '--top-k', '2', '--temperature', '0')).toEqual([
      'notice: --seed, --top-k change nothing: at temperature 0 the most probable token is taken. Give --temperature',
    ])
    expect(await notices('--seed', '3', '--temperature', '1', '--stop', '\n')).toEqual([])
    expect(await notices('--stop', '\\n')).toEqual([
      "notice: --stop: \\n has a backslash and a letter, as it was given, and no control character. In bash $'\\n' has one",
    ])
  })

  it('follows penalties, and guesses without another text', async () => {
    const words = ['--prompt', 'abcabcabc', '--max-new-tokens', '40', '--json']
    const plain = JSON.parse((await anneal(...words)).out)
    const penalised = JSON.parse((await anneal(...words, '--presence-penalty', '2', '--frequency-penalty', '2')).out)
    const distinct = ({ token_ids }: { token_ids: number[] }) => new Set(token_ids).size
    expect(distinct(penalised)).toBeGreaterThan(distinct(plain))
    const guessed = JSON.parse((await anneal(...words, '--prompt-lookup', '4')).out)
    expect(guessed.token_ids).toEqual(plain.token_ids)
    expect(guessed.draft_tokens).toBeGreaterThan(0)
  })

  it.each([
    [
      ['--prompt', 'a', '--logit-bias', '5=1', '--logit-bias', '05=2'],
      2,
      '--logit-bias: expected token 5 once, got it twice',
    ],
    [['--prompt', 'a', '--logprobs'], 2, '--logprobs: expected --json with it'],
    [['--prompt', 'a', '--top-logprobs', '2'], 2, '--top-logprobs: expected --json with it'],
    [
      ['--prompt', 'a', '--logit-bias', '5'],
      2,
      "--logit-bias: expected a token id and a number such as 50=-100, got '5'",
    ],
    [['--prompt', 'a', '--logit-bias', '320=1'], 2, '--logit-bias: expected token ids from 0 to 319, got 320'],
    [['--prompt', 'a', '--presence-penalty', '3'], 2, '--presence-penalty: expected a number ≥ -2 and ≤ 2'],
    [[], 2, '--prompt: expected a text (or --prompt-file FILE), got nothing'],
    [['--prompt', 'a', '--prompt-file', 'b'], 2, 'expected it or --prompt, got both'],
    [['--prompt', 'a', '--top-p', '0'], 2, '--top-p: expected a number above 0 and at most 1, got 0'],
    [['--prompt', 'a', '--stop', ''], 2, 'stop: expected texts of at least one character'],
    [['--prompt-file', '/nonexistent/none'], 3, '/nonexistent/none: expected a file, got nothing'],
    [['--prompt', 'x'.repeat(600)], 3, 'prompt: expected at most 511 tokens'],
  ])('answers %j with one line', async (words, code, message) => {
    const { err, ...rest } = await anneal(...words)
    expect(rest).toEqual({ code, out: '' })
    expect(err).toMatch(/^error: .*\n$/)
    expect(err).toContain(message)
  })

  it('says what is missing in a directory that is no model', async () => {
    const { code, err } = await runCommand(command, ['--model', '/nonexistent/none', '--prompt', 'x'])
    expect([code, err]).toEqual([
      3,
      'error: /nonexistent/none: expected a directory or a .gguf file, got nothing. Check the path\n',
    ])
  })

  it('says which line of generation_config.json is wrong', async () => {
    const broken = await tinyModelDirectory({ generationConfig: { temperature: 'hot' } })
    const { code, err } = await runCommand(command, ['--model', broken.directory, '--prompt', 'x'])
    broken.remove()
    expect(code).toBe(3)
    expect(err).toContain('generation_config.json: temperature: expected a number ≥ 0, got "hot"')
  })

  it('makes what the structure says', async () => {
    const base = ['--prompt', 'once upon', '--max-new-tokens', '50', '--temperature', '1', '--seed', '4']
    const schema = '{"properties": {"n": {"type": "integer"}}, "required": ["n"]}'
    expect(JSON.parse((await anneal(...base, '--json-schema', schema)).out)).toEqual({ n: expect.any(Number) })
    const file = join(directory, 'schema.json')
    writeFileSync(file, '{"enum": ["red", "green"]}')
    expect((await anneal(...base, '--json-schema', file)).out).toMatch(/^"(?:red|green)"\n$/)
    writeFileSync(file, 'root ::= [0-9]{3} "-" root | "."')
    expect((await anneal(...base, '--grammar', file)).out).toMatch(/^(?:\d{3}-)*\.\n$/)
    expect((await anneal(...base, '--regex', 'a{2}[bc]')).out).toMatch(/^aa[bc]\n$/)
    expect((await anneal(...base, '--choice', 'north', '--choice', 'south')).out).toMatch(/^(?:north|south)\n$/)
    const wrong = async (...words: string[]) => (await anneal('--prompt', 'x', ...words)).err
    expect(await wrong('--regex', 'a', '--choice', 'b')).toBe('error: --choice: expected it or --regex, got both\n')
    expect(await wrong('--json-schema', '{')).toMatch(/^error: --json-schema: expected JSON, got .*\n$/)
    expect(await wrong('--json-schema', '{"not": {}}')).toMatch(
      /^error: json_schema \/not: expected a keyword that masks can keep/,
    )
    expect(await wrong('--regex', 'a{50}', '--max-new-tokens', '3')).toMatch(
      /^error: --max-new-tokens: expected at least \d+ for a whole answer/,
    )
  })

  it('loads no engine for its help', () => {
    for (const name of ['generate', 'chat', 'score', 'lm-options', 'write-reply', 'read-input']) {
      const source = readFileSync(new URL(`./${name}.ts`, import.meta.url), 'utf8')
      const imports = [...source.matchAll(/^import (?!type\b)(?:.|\n)*?from '(.+?)'/gm)].map(([, path]) => path)
      for (const path of imports) expect(path).not.toMatch(/engine|torch|model\//)
    }
  })
})
