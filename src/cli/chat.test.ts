import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it, vi } from 'vitest'
import { runCommand, textSink } from '../../test/run-command.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../../test/tiny-model.ts'
import { InputError, UsageError } from '../errors.ts'
import { type FakeLmOptions, fakeLm } from '../lm/fake-lm.ts'
import type { Prompt } from '../lm/lm.ts'
import { chat, chatOptions, command } from './chat.ts'
import { createOutput } from './output.ts'

/** Talks to a fake model over a pipe; `prompts` are what it was asked. */
async function talk(input: string, lmOptions: FakeLmOptions = {}, options: { system?: string; isJson?: boolean } = {}) {
  const prompts: Prompt[] = []
  const reply = (prompt: Prompt): string => {
    prompts.push(prompt)
    return lmOptions.reply?.(prompt) ?? `answer ${prompts.length}`
  }
  const [stdout, stderr] = [textSink(), textSink()]
  const code = await chat({
    lm: fakeLm({ ...lmOptions, reply }),
    system: options.system,
    options: { maxNewTokens: 40 },
    input: Readable.from([input]),
    output: createOutput(options.isJson ?? false, stdout, stderr),
  })
  const said = prompts.map((prompt) =>
    'messages' in prompt ? prompt.messages.map(({ role, content }) => `${role}: ${content}`) : prompt,
  )
  return { code, out: stdout.text, err: stderr.text, said }
}

describe('chat', () => {
  it('keeps the conversation and starts it with the system text', async () => {
    const { out, said } = await talk('one\n\n  two \n', {}, { system: 'Be brief.' })
    expect(out).toBe('answer 1\nanswer 2\n')
    expect(said[1]).toEqual(['system: Be brief.', 'user: one', 'assistant: answer 1', 'user: two'])
  })

  it('takes the last line without a line end, and ends at the end of the input', async () => {
    expect((await talk('one')).out).toBe('answer 1\n')
    expect((await talk('')).out).toBe('')
  })

  it('takes an instruction, answers again, and shows and saves the conversation', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anneal-chat-'))
    const file = join(folder, 'chats.jsonl')
    const { said, err, out } = await talk(
      `/retry\none\n/system Be brief.\n/system\ntwo\n/retry\n/history\n/save ${file}\n/save ${file}\n/save\n/exit\nx\n`,
    )
    expect(said).toEqual([['user: one'], ['system: Be brief.', 'user: two'], ['system: Be brief.', 'user: two']])
    expect(out).toBe('answer 1\nanswer 2\nanswer 3\n')
    for (const line of [
      'There is no answer yet.',
      '\nBe brief.',
      '\nuser: two\nassistant: answer 3\n',
      'expected a file',
    ])
      expect(err).toContain(line)
    const rows = readFileSync(file, 'utf8').trimEnd().split('\n')
    rmSync(folder, { recursive: true })
    expect(rows).toHaveLength(2)
    expect(JSON.parse(rows[0]!).messages.map(({ role }: { role: string }) => role)).toEqual([
      'system',
      'user',
      'assistant',
    ])
  })

  it('ends a pipe with the code of the first question that got no answer, and answers the others', async () => {
    const reply = (prompt: Prompt): string => {
      if (JSON.stringify(prompt).includes('bad')) throw new InputError('chat template: roles must alternate')
      return 'fine'
    }
    const { code, out, err } = await talk('bad\ngood\n', { reply })
    expect([code, out, err]).toEqual([3, 'fine\n', 'error: chat template: roles must alternate\n'])
    expect((await talk('good\n', { reply })).code).toBe(0)
  })

  it('knows /reset, /help and /quit, and says so of others', async () => {
    const { said, err, out } = await talk('one\n/reset\n/help\n/what\ntwo /x\n/quit\nthree\n', {}, { system: 's' })
    expect(said).toEqual([
      ['system: s', 'user: one'],
      ['system: s', 'user: two /x'],
    ])
    expect(err).toMatch(/^\/reset +forget the conversation$/m)
    expect(err).toContain('unknown command /what')
    expect(out).toBe('answer 1\nanswer 2\n')
  })

  it('writes one object per answer with --json', async () => {
    const { out } = await talk('a\nb\n', { reply: () => 'x' }, { isJson: true })
    const line = '{"text":"x","token_ids":[120,0],"finish_reason":"stop"}\n'
    expect(out).toBe(line + line)
  })

  it('continues lines, one by one, with a model that cannot chat', async () => {
    const { said, err } = await talk('Once upon \nTom\n', { canChat: false })
    expect(said).toEqual([
      expect.objectContaining({ prompt: 'Once upon ' }),
      expect.objectContaining({ prompt: 'Tom' }),
    ])
    expect(err).toContain('This model has no chat template')
  })

  it('refuses a system text for such a model', async () => {
    await expect(talk('x\n', { canChat: false }, { system: 's' })).rejects.toThrow(UsageError)
  })

  it('forgets the oldest turns where the context is full, never the system text', async () => {
    const { said, err } = await talk(
      `${'a'.repeat(30)}\n${'b'.repeat(30)}\n${'c'.repeat(30)}\n`,
      { contextLength: 160 },
      { system: 's' },
    )
    // 160 less a quarter leaves 120 characters: system 10, a 37, answer 20, b 37 fit; c does not.
    expect(said[1]).toHaveLength(4)
    expect(said[2]).toEqual(['system: s', `user: ${'b'.repeat(30)}`, 'assistant: answer 2', `user: ${'c'.repeat(30)}`])
    expect(err).toContain('the first 2 messages are forgotten')
  })

  it('stops the answer on Ctrl-C at the terminal, and leaves at the prompt', async () => {
    const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => input })
    const [stdout, stderr] = [textSink(), textSink(true)]
    const lm = fakeLm({ reply: () => 'x'.repeat(4000) })
    const slow = {
      ...lm,
      async *generate(request: Parameters<typeof lm.generate>[0]) {
        for await (const piece of lm.generate(request)) {
          yield piece
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      },
    }
    const talking = chat({
      title: 'runs/x',
      lm: slow,
      options: { maxNewTokens: 4000 },
      input,
      output: createOutput(false, stdout, stderr, {}),
      echo: new PassThrough(),
    })
    input.write('go\r')
    await vi.waitFor(() => expect(stdout.text.length).toBeGreaterThan(5))
    input.write('\u0003')
    await vi.waitFor(() => expect(stdout.text).toMatch(/^x+\n$/))
    expect(stdout.text.length).toBeLessThan(4000)
    expect(stderr.text).toMatch(/\u001b\[1mruns\/x\u001b\[0m\n.*\/help shows/s)
    expect(stderr.text).toMatch(/\d+ tokens, \S+ tokens\/s/)
    input.write('\u0003')
    expect(await talking).toBe(0)
    expect(stderr.text).toMatch(/\n$/)
  })
})

describe('anneal chat', () => {
  it('says that there is no model', async () => {
    const { code, err } = await runCommand(command, ['--model', '/nonexistent/none'])
    expect([code, err]).toEqual([
      3,
      'error: /nonexistent/none: expected a directory or a .gguf file, got nothing. Check the path\n',
    ])
  })

  it('talks to a real engine and survives a message that is too long', async () => {
    const { directory, remove } = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE })
    const { loadLm } = await import('../run/load-lm.ts')
    const engine = await loadLm(directory, { device: 'cpu' })
    const [stdout, stderr] = [textSink(), textSink()]
    await chat({
      lm: engine,
      options: { maxNewTokens: 5, temperature: 1, seed: 3 },
      input: Readable.from([`${'long '.repeat(200)}\nhi\n`]),
      output: createOutput(true, stdout, stderr),
    })
    engine.free()
    remove()
    expect(stderr.text).toMatch(/^error: prompt: expected at most 511 tokens .*\n$/)
    expect(stdout.text.trimEnd().split('\n')).toHaveLength(1)
    expect(JSON.parse(stdout.text).token_ids.length).toBeLessThanOrEqual(5)
  })
})

describe('chatOptions', () => {
  it('takes what was asked for, else what the makers say, else what --help says', () => {
    expect(chatOptions({}, {})).toEqual({ maxNewTokens: 1024, temperature: 0.8, topP: 0.95 })
    expect(chatOptions({}, { temperature: 0.3 })).toEqual({ maxNewTokens: 1024, temperature: 0.3, topP: 0.95 })
    expect(chatOptions({ temperature: 0.6, maxNewTokens: 9 }, { topP: 1 })).toEqual({
      maxNewTokens: 9,
      temperature: 0.6,
      topP: 1,
    })
    expect(chatOptions({ doSample: true, topP: 0.5 }, {})).toEqual({ maxNewTokens: 1024 }) // the engine reads the rest
  })
})
