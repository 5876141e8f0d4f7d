import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand, textSink } from '../../test/run-command.ts'
import { tinyModelDirectory } from '../../test/tiny-model.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import { script } from '../prompting/index.ts'
import { createOutput } from './output.ts'
import { command, runScript } from './prompt.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/review.ps', import.meta.url))

describe('runScript', () => {
  const run = async (text: string, isJson: boolean, isTTY = false, isDry = false) => {
    const [stdout, stderr] = [textSink(isTTY), textSink()]
    const output = createOutput(isJson, stdout, stderr, {})
    await runScript(script(text), fakeLm({ reply: () => 'Hi\u001b[2J' }), {}, { seed: 1 }, { dryRun: isDry }, output)
    return { out: stdout.text, err: stderr.text }
  }
  it('writes the text as it comes, with holes in colour on a terminal', async () => {
    expect(await run('"a:[x]\\n"', false)).toEqual({ out: 'a:Hi\u001b[2J\n\n', err: '1 call, 7 tokens made\n' })
    const { out } = await run('"a:[x]\\n"', false, true)
    expect(out.startsWith('a:\u001b[32mH')).toBe(true)
    expect(out).toContain('\\u001b')
    expect(out).not.toContain('\u001b[2J')
  })
  it('writes turns with their names, and what was returned', async () => {
    const { out, err } = await run('user "Who?"\nassistant "[x]"\nreturn [1, x]', false)
    expect(out).toBe('user: Who?\nassistant: Hi\u001b[2J\n')
    expect(err).toContain('returned: [1,"Hi\\u001b[2J"]\n')
  })
  it('writes one object with --json', async () => {
    const { out, err } = await run('user "Who?"\nassistant "[x]"\nreturn 3', true)
    expect(JSON.parse(out)).toEqual({
      text: 'Who?Hi\u001b[2J',
      values: { x: 'Hi\u001b[2J' },
      value: 3,
      messages: [
        { role: 'user', content: 'Who?' },
        { role: 'assistant', content: 'Hi\u001b[2J' },
      ],
    })
    expect(err).toBe('')
  })
})

describe('anneal prompt', async () => {
  const { directory, remove } = await tinyModelDirectory()
  afterAll(remove)
  const anneal = (...words: string[]) => runCommand(command, words)
  const write = (name: string, text: string): string => {
    const file = join(directory, name)
    writeFileSync(file, text)
    return file
  }

  it('runs the example: every value is what it has to be, and the trace has every call', async () => {
    const trace = join(directory, 'calls.jsonl')
    const words = ['--model', directory, '--var', 'review=Cold soup.', '--seed', '3']
    const { code, out, err } = await anneal(EXAMPLE, ...words, '--json', '--trace', trace)
    expect([code, err]).toEqual([0, ''])
    const { text, values } = JSON.parse(out)
    expect(text).toContain(
      `Review: Cold soup.\nStars (1-5): ${values.stars}\nKind: ${values.kind}\nIn one sentence: ${values.why}`,
    )
    expect([1, 2, 3, 4, 5]).toContain(values.stars)
    expect(['food', 'service', 'price']).toContain(values.kind)
    expect(values.why.split(/\s+/).length).toBeLessThan(21)
    expect(values.why.indexOf('.')).toBe(values.why.length - 1)
    expect('sorry' in values).toBe(values.stars < 3)
    const lines = readFileSync(trace, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.slice(1).map(({ notes }) => notes[0].hole)).toEqual(Object.keys(values))
    // What was read for one hole is still there for the next.
    expect(lines[2].answer.usage.cachedTokens).toBeGreaterThan(0)
    expect((await anneal(EXAMPLE, ...words)).out).toBe(`${text}\n`)
  }, 60_000)

  it('writes the trace of what was asked until it is stopped', async () => {
    const trace = join(directory, 'stopped.jsonl')
    const endless = write('endless.ps', 'repeat 1000:\n  "Once [x]\\n"')
    const onListener = (name: string | symbol): void => {
      if (name === 'SIGINT') setTimeout(() => process.emit('SIGINT', 'SIGINT'), 5)
    }
    process.on('newListener', onListener)
    const run = anneal(endless, '--model', directory, '--seed', '1', '--trace', trace)
    const { code, err } = await run
    process.off('newListener', onListener)
    expect(code).toBe(130)
    expect(err).toMatch(/^SIGINT: ending the call and writing the trace/)
    expect(readFileSync(trace, 'utf8')).toMatch(/^\{/)
  }, 60_000)

  it('checks everything before a model is loaded, and shows where', async () => {
    const file = write('wrong.ps', '"Name: {nmae}\\n"\n"[x: it]"\n')
    expect(await anneal(file, '--model', 'nowhere')).toEqual({
      code: 2,
      out: '',
      err: `error: ${file}:2:6: expected a type (str, int, float, bool, json, "a" | "b", one of LIST, /PATTERN/), got 'it'. Did you mean 'int'?\n  "[x: it]"\n       ^\n`,
    })
    const fine = write('fine.ps', '"Name: {name}\\n"\n"{len(1)}{len(2)}[x: int]"\n')
    expect((await anneal(fine, '--dry-run')).err.match(/error: .*/g)).toEqual([
      expect.stringMatching(/fine\.ps:2:7: expected a text or a list for len/),
      expect.stringMatching(/fine\.ps:2:15: /),
    ])
    const { err, code } = await anneal(EXAMPLE, '--model', 'nowhere', '--var', 'reviev=x')
    expect(code).toBe(2)
    expect(err).toMatch(
      /^error: .*review\.ps:3:1: expected a variable 'review', got none\. Did you mean 'reviev'\?\n {2}input review\n {2}\^\n$/,
    )
    const unused = await anneal(EXAMPLE, '--model', 'nowhere', '--var', 'review=x', '--var', 'n=1')
    expect(unused.err).toMatch(/^error: --var: expected review, got 'n', which is another in .*\n$/)
  })

  it('takes variables from a file, and shows a dry run without a model', async () => {
    const file = write('list.ps', 'input names: list\nfor name in names:\n  "{name} is [age: int] years.\\n"\n')
    const vars = write('vars.json', '{"names": ["Ada", "Bo"]}')
    const { code, out, err } = await anneal(file, '--dry-run', '--vars', vars)
    expect([code, out]).toEqual([0, 'Ada is 0 years.\nBo is 0 years.\n\n'])
    expect(err).toBe('2 calls, none made: the answers are made up\n')
    const json = await anneal(file, '--dry-run', '--var', 'names=["Cy"]', '--json')
    expect(JSON.parse(json.out).values).toEqual({ age: [0] })
  })

  it.each([
    [[EXAMPLE, '--var', 'review=x'], 2, /--model: expected a model \(or --dry-run\), got nothing/],
    [[EXAMPLE, '--dry-run', '--var', 'review'], 2, /--var: expected NAME=VALUE such as --var dish=pizza, got 'review'/],
    [[EXAMPLE, '--dry-run', '--var', 'a=1', '--var', 'a=2'], 2, /--var: expected 'a' once/],
    [[EXAMPLE, '--dry-run', '--vars', EXAMPLE], 3, /--vars .*: expected JSON, got /],
    [
      [EXAMPLE, '--url', 'host', '--model', 'm', '--var', 'review=x'],
      2,
      /expected an address such as https:\/\/host\/v1/,
    ],
    [['no-such.ps'], 3, /no-such\.ps: expected a file, got nothing/],
  ])('%j is refused in one line', async (words, code, message) => {
    const found = await anneal(...words)
    expect([found.code, found.out, found.err.match(/\n/g)!.length]).toEqual([code, '', 1])
    expect(found.err).toMatch(message)
  })
})
