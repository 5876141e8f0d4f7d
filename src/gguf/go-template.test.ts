import { describe, expect, it } from 'vitest'
import { TINY_CHAT_TEMPLATE } from '../../test/tiny-model.ts'
import { CHATML_TEMPLATE } from '../text/chat-template.ts'
import { goTemplate } from './go-template.ts'
import { modelfile } from './modelfile.ts'

const CHATML =
  '{{ range .Messages }}{{ if eq .Role "system" }}<|im_start|>system\n{{ .Content }}<|im_end|>\n{{ end }}' +
  '{{ if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n{{ end }}' +
  '{{ if eq .Role "assistant" }}<|im_start|>assistant\n{{ .Content }}<|im_end|>\n{{ end }}{{ end }}<|im_start|>assistant\n'

describe('goTemplate', () => {
  it('turns ChatML into a loop over messages', () => {
    expect(goTemplate(CHATML_TEMPLATE)).toBe(CHATML)
    expect(goTemplate(TINY_CHAT_TEMPLATE)).toBe(CHATML)
  })
  it('leaves the start token to llama.cpp, which adds it', () => {
    expect(goTemplate(`{{ bos_token }}${CHATML_TEMPLATE}`, '<s>')).toBe(CHATML)
  })
  it('does not guess at a template that looks at more than one message', () => {
    const first =
      "{% for m in messages %}{% if loop.first %}First: {% endif %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    expect(goTemplate(first)).toBeUndefined()
  })
  it('does not fail on a template that refuses chats or is broken', () => {
    expect(goTemplate("{{ raise_exception('no') }}")).toBeUndefined()
    expect(goTemplate('{% for %}')).toBeUndefined()
  })
  it('leaves out roles that the template drops', () => {
    const template =
      "{% for m in messages if m.role != 'system' %}[{{ m.role }}]{{ m.content }}|{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    expect(goTemplate(template)).not.toContain('"system"')
  })
})

describe('modelfile', () => {
  it('names the file, the template, every stop and the context', () => {
    const { text } = modelfile({
      file: 'a.gguf',
      chatTemplate: CHATML_TEMPLATE,
      stops: ['<|im_end|>', '</s>'],
      contextLength: 512,
      temperature: 0.7,
    })
    expect(text).toContain(
      `FROM ./a.gguf\nTEMPLATE """${CHATML}"""\nPARAMETER stop "<|im_end|>"\nPARAMETER stop "</s>"\n`,
    )
    expect(text).toContain('PARAMETER num_ctx 512\nPARAMETER temperature 0.7\n')
  })
  it('leaves the template to the file where there is no counterpart', () => {
    const { text } = modelfile({ file: 'a.gguf', chatTemplate: '{% for %}', stops: [], contextLength: 131_072 })
    expect(text).not.toContain('TEMPLATE')
    expect(text).toContain('num_ctx 8192')
  })
  it('says that tools are not carried over, where the template or the one for tools writes them', () => {
    const withTools = `{% if tools %}{{ tools | tojson }}{% endif %}${CHATML_TEMPLATE}`
    const of = (chatTemplate: string, toolTemplate?: string) =>
      modelfile({ file: 'a.gguf', chatTemplate, toolTemplate, stops: [], contextLength: 512 })
    expect(of(CHATML_TEMPLATE)).toMatchObject({ notices: [], text: expect.not.stringContaining('Without tools') })
    const said = { notices: [expect.stringMatching(/writes tools .* Ollama gives this model none/)] }
    expect(of(withTools)).toMatchObject({
      ...said,
      text: expect.stringContaining(`TEMPLATE """${CHATML}"""\n# Without tools`),
    })
    expect(of(CHATML_TEMPLATE, withTools)).toMatchObject(said)
  })
})
