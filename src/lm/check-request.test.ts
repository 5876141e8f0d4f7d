import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { checkHidden, checkPrompt, checkRequest, checkScoring } from './check-request.ts'
import { fakeLm } from './fake-lm.ts'
import type { GenerateRequest } from './lm.ts'

/** As a program that no type checker has read would ask. */
const request =
  (value: unknown): (() => void) =>
  () =>
    checkRequest(value as GenerateRequest)
const refuses = (run: () => void, message: string): void => {
  expect(run).toThrow(UsageError)
  expect(run).toThrow(message)
}

describe('checkRequest', () => {
  it('names an option that there is not, and the one that is meant', () => {
    refuses(request({ prompt: 'a', max_new_tokens: 5 }), "got 'max_new_tokens'. Did you mean 'maxNewTokens'?")
    refuses(request({ prompt: 'a', max_tokens: 5 }), "got 'max_tokens'. It is called 'maxNewTokens' here")
    refuses(request({ prompt: 'a', temprature: 1 }), "Did you mean 'temperature'?")
    refuses(request({ prompt: 'a', bestOfAll: 2 }), "got 'bestOfAll'. There are prompt, ")
    expect(request({ prompt: 'a', maxNewTokens: undefined, stop: ['x'], seed: 1 })).not.toThrow()
  })

  it('takes no text for a list of texts: every letter would be a stop string', () => {
    refuses(request({ prompt: 'a', stop: 'girl' }), 'stop: expected a list, got "girl"')
    refuses(request({ prompt: 'a', stopTokenIds: 3 }), 'stopTokenIds: expected a list, got 3')
  })

  it('wants one prompt', () => {
    refuses(
      request({ maxNewTokens: 2 }),
      'expected an object with one of prompt, messages and ids, got {"maxNewTokens":2}',
    )
    refuses(request({ prompt: 'a', ids: [1] }), 'got prompt and ids')
    refuses(request({ prompt: 5 }), 'prompt: expected a text, got 5')
    refuses(request({ messages: 'hello' }), 'messages: expected a list of messages, got "hello"')
    refuses(() => checkPrompt('a cat' as never), 'prompt: expected an object with one of')
    expect(request({ ids: Int32Array.of(1, 2) })).not.toThrow()
  })

  it('wants messages with a role and a text, before a template blames itself', () => {
    const messages = (...all: unknown[]) => request({ messages: [{ role: 'user', content: 'a' }, ...all] })
    refuses(messages('hi'), 'messages[1]: expected an object with a role such as "user", got "hi"')
    refuses(messages(null), 'messages[1]: expected an object with a role')
    refuses(messages({ content: 'hi' }), 'messages[1]: expected an object with a role')
    refuses(messages({ role: 'user', content: 5 }), 'messages[1].content: expected a text, got 5')
    expect(messages({ role: 'assistant', content: null, tool_calls: [] }, { role: 'x' })).not.toThrow()
    expect(messages({ role: 'user', content: [{ type: 'text', text: 'a' }] })).not.toThrow()
  })
})

it('wants lists of ids, and options that there are, where texts are scored or turned into vectors', () => {
  refuses(() => checkScoring([1, 2] as never, {}), 'sequences: expected lists of token ids, [[1, 2, …], …], got 1')
  refuses(() => checkScoring('text' as never, {}), 'got "text"')
  refuses(() => checkScoring([[1]], { windows: 5 } as never), "Did you mean 'window'?")
  refuses(() => checkHidden([[1]], { normalise: true } as never), "Did you mean 'normalize'?")
  expect(() => checkScoring([[1], Int32Array.of(2) as never], { from: [1, 1] })).not.toThrow()
})

it('holds for a made-up model too', async () => {
  const lm = fakeLm()
  await expect(lm.generateAll([{ prompt: 'a', stop: 'b' as never }])).rejects.toThrow(UsageError)
  await expect(lm.score([5] as never)).rejects.toThrow(UsageError)
  await expect(lm.hidden!([[1]], { layr: 1 } as never)).rejects.toThrow(UsageError)
})
