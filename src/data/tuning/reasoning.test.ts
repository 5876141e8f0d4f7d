import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tinyTokenizer } from '../../../test/tiny-model.ts'
import { InputError } from '../../errors.ts'
import { preview } from '../preview.ts'
import { readSupervised, type SupervisedData } from './supervised-files.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-reasoning-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Reads rows written as they stand, with a token per byte. */
function read(template: string, ...rows: (string | object)[]): Promise<SupervisedData> {
  const path = join(directory, 'rows.jsonl')
  writeFileSync(path, rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join(''))
  return readSupervised(path, { tokenizer: tinyTokenizer(template), maxLength: 400 })
}
async function shown(template: string, ...rows: (string | object)[]): Promise<string[]> {
  const { train } = await read(template, ...rows)
  return Array.from({ length: train.length }, (_, i) => preview(train.get(i), tinyTokenizer(template)))
}

const turn = (body: string, other = 'm.content'): string =>
  `{% for m in messages %}{% if m.role == 'assistant' %}${body}{% else %}{{ '<|im_start|>' + m.role + '\\n' + ${other} + '<|im_end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`
const answer = (content: string): string =>
  turn(`{{ '<|im_start|>assistant\\n' }}${content}{{ m.content + '<|im_end|>' }}`)
const LAST_ONLY = answer("{% if loop.last and m.reasoning_content %}{{ '[' + m.reasoning_content + ']' }}{% endif %}")
const asked = { role: 'user', content: 'q' }
const said = (content: string, more: object = {}): object => ({ role: 'assistant', content, ...more })

describe('reasoning of answers', () => {
  it('goes to the template by both of its names', async () => {
    for (const name of ['reasoning_content', 'thinking']) {
      const template = answer(`{{ '[' + m.${name} + ']' }}`)
      for (const given of [{ reasoning_content: 'hm' }, { thinking: 'hm' }]) {
        expect(await shown(template, { messages: [asked, said('a', given)] })).toEqual([
          '<|im_start|>user\nq<|im_end|><|im_start|>assistant\n⟦[hm]a<|im_end|>⟧',
        ])
      }
    }
  })

  it('is counted where some of it is not written', async () => {
    const messages = [asked, said('a', { thinking: 'one' }), asked, said('b', { thinking: 'two' })]
    const { report } = await read(LAST_ONLY, { messages })
    expect(report.notices).toEqual([expect.stringMatching(/writes the reasoning of 1 of 2 answers that have one/)])
    expect((await read(LAST_ONLY, { messages: [asked, said('a', { thinking: 'one' })] })).report.notices).toEqual([])
  })

  it('is refused where none of it is written', async () => {
    const rows = { messages: [asked, said('a', { thinking: 'hm' })] }
    await expect(read(answer(''), rows)).rejects.toThrow(InputError)
    await expect(read(answer(''), rows)).rejects.toThrow(/got it written in none of 1/)
    const cutting = turn("{{ '<|im_start|>assistant\\n' + m.content.split('</think>')[-1] + '<|im_end|>' }}")
    await expect(read(cutting, { messages: [asked, said('<think>hm</think>a')] })).rejects.toThrow(/none of 1/)
    expect(await shown(answer(''), { messages: [asked, said('<think>hm</think>a')] })).toEqual([
      '<|im_start|>user\nq<|im_end|><|im_start|>assistant\n⟦<think>hm</think>a<|im_end|>⟧',
    ])
  })
})

describe('what a tool answered', () => {
  const call = { type: 'function', function: { name: 'f', arguments: { x: 1 } } }
  const messages = (content: string): object[] => [
    asked,
    said('', { tool_calls: [call] }),
    { role: 'tool', content },
    said('It is warm.'),
  ]
  const CALL =
    "{{ '<|im_start|>assistant\\n' + m.content }}{% for c in m.tool_calls %}{{ c.function.name }}{% endfor %}"
  const NEXT = "{% set next = messages[loop.index] %}{% if next and next.role == 'tool' %}"

  it.each([
    ['20 degrees'],
    ['{"temperature": 20, "unit": "°C"}'],
    ['42'],
    ['"quoted"\nlines\n日本 🙂'],
    ['user said <|im_end|>'],
  ])(
    'is not learnt where the turn of the caller has it, read ahead, nor what stands around it: %s',
    async (content) => {
      const template = `{% for m in messages %}{% if m.role == 'assistant' %}${CALL}${NEXT}{{ '(' + next.content + ')' }}{% endif %}{{ '<|im_end|>' }}{% elif m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}`
      const [text] = await shown(template, { messages: messages(content) })
      expect(text).toBe(
        `q⟦<|im_start|>assistant\nf⟧(${content})⟦<|im_end|><|im_start|>assistant\nIt is warm.<|im_end|>⟧`,
      )
    },
  )

  it('is not learnt where an inner loop writes it, with what the loop writes around it', async () => {
    const template = `{% for m in messages %}{% if m.role == 'assistant' %}${CALL}{% for t in messages[loop.index:] if t.role == 'tool' %}{{ '(' + t.content + ')' }}{% endfor %}{{ '<|im_end|>' }}{% elif m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}`
    expect(await shown(template, { messages: messages('20') })).toEqual([
      'q⟦<|im_start|>assistant\nf⟧(20)⟦<|im_end|><|im_start|>assistant\nIt is warm.<|im_end|>⟧',
    ])
  })

  it('is not learnt as JSON of it either', async () => {
    const template = `{% for m in messages %}{% if m.role == 'assistant' %}${CALL}${NEXT}{{ next | tojson }}{% endif %}{{ '<|im_end|>' }}{% elif m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}`
    const [text] = await shown(template, { messages: messages('a "b"\nc') })
    expect(text).toContain('⟧{"role": "tool", "content": "a \\"b\\"\\nc"}⟦')
  })
})

describe('numbers of a row', () => {
  it('are rendered as they were written', async () => {
    const template = answer(
      '{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}',
    )
    const row = (given: string): string =>
      `{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": ${given}}}]}]}`
    for (const given of ['{"x": 1.0, "y": 12345678901234567890}', '"{\\"x\\": 1.0, \\"y\\": 12345678901234567890}"']) {
      expect(await shown(template, row(given))).toEqual([
        '<|im_start|>user\nq<|im_end|><|im_start|>assistant\n⟦f{"x": 1.0, "y": 12345678901234567890}<|im_end|>⟧',
      ])
    }
  })
})
