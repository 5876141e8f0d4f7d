import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { rememberSpelling } from '../json-spelling.ts'
import { toValue } from './convert.ts'
import { TemplateError } from './errors.ts'
import { Template } from './template.ts'

// Made by scripts/goldens/jinja_templates.py with Transformers 5.18 and Jinja 3.1.6.
function read<T>(name: string): T {
  const text = readFileSync(new URL(`../../../test/fixtures/text/jinja/${name}.json`, import.meta.url), 'utf8')
  const data = JSON.parse(text) as T
  rememberSpelling(text, data)
  return data
}
interface Case {
  t: string
  m: unknown
  tools?: unknown
  documents?: unknown
  kw?: Record<string, unknown>
  expected: { ok: string } | { err: string }
}
const oneFeature = Object.entries(read<Record<string, Case>>('one-feature'))
const families = read<{
  templates: Record<string, string>
  chats: unknown[]
  tools: unknown
  variants: Record<string, unknown>[]
  cases: {
    template: string
    chat: number
    hasTools: boolean
    prompt: boolean
    variant: number
    expected: Case['expected']
  }[]
}>('families')
const random = read<{ messages: unknown; variables: Record<string, unknown>; cases: Case[] }>('random')

/** What a template gives: `ok` and its text, or `err`. */
function render(source: string, variables: Record<string, unknown>): { ok: string } | { err: TemplateError } {
  const given = { tools: null, documents: null, add_generation_prompt: true, bos_token: '<s>', eos_token: '</s>' }
  const values = Object.entries({ ...given, ...variables }).map(([name, value]) => [name, toValue(value)] as const)
  try {
    return { ok: new Template(source).render(new Map(values), { now: new Date(2024, 6, 4, 9, 5, 7) }) }
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    return { err: error }
  }
}

/** The line that both sides of a comparison become: the text, or that there was an error. */
const shown = (result: object): string => ('ok' in result ? `ok: ${result.ok}` : 'error')

describe('Template', () => {
  // What no chat template needs is an error that names it.
  const leftOut = new Map([
    ["x:'a'.encode()", "'.encode'"],
    ["x:'aé'.encode('utf-8')|length", "'.encode'"],
    ["x:'abc'.translate({})", "'.translate'"],
    ['s:autoescape', 'autoescape'],
  ])

  it.each(oneFeature.filter(([name]) => !leftOut.has(name)))('renders as Transformers: %s', (_name, one) => {
    const { m: messages, tools = null, documents = null, kw } = one
    expect(shown(render(one.t, { messages, tools, documents, ...kw }))).toBe(shown(one.expected))
  })

  it.each([...leftOut])('names what it leaves out: %s', (name, feature) => {
    const result = render(oneFeature.find(([other]) => other === name)![1].t, { messages: [] })
    expect(result).toMatchObject({ err: { kind: 'unsupported', message: expect.stringContaining(feature) } })
  })

  it.each(Object.keys(families.templates))('renders chats with and without tools as Transformers: %s', (name) => {
    const cases = families.cases.filter(({ template }) => template === name)
    expect(cases.filter(({ expected }) => 'ok' in expected).length).toBeGreaterThan(20)
    for (const { chat, hasTools, prompt, variant, expected } of cases) {
      const variables = {
        ...families.variants[variant],
        messages: families.chats[chat],
        tools: hasTools ? families.tools : null,
        add_generation_prompt: prompt,
      }
      expect(shown(render(families.templates[name]!, variables)), `chat ${chat}`).toBe(shown(expected))
    }
  })

  it('renders templates put together at random as Transformers', () => {
    const { messages, variables, cases } = random
    expect(cases.length).toBeGreaterThan(300)
    const differing = cases.filter(
      ({ t, expected }) => shown(render(t, { messages, ...variables })) !== shown(expected),
    )
    expect(differing.map(({ t }) => t)).toEqual([])
  })

  it('says in which line something went wrong', () => {
    expect(render('a\n\n{{ messages.x.y }}', { messages: [] })).toMatchObject({ err: { kind: 'undefined', line: 3 } })
    expect(render('a\n{% for %}', {})).toMatchObject({ err: { kind: 'syntax', line: 2 } })
    expect(render("{% if true %}\n{{ raise_exception('no') }}{% endif %}", {})).toMatchObject({
      err: { kind: 'raised', message: 'no', line: 2 },
    })
  })
})

describe('names of a Template', () => {
  const text = (source: string): string => shown(render(source, { given: 'G', messages: [] }))

  it('belong to the iteration, the macro and the block that set them, but not to an if', () => {
    expect(text('{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 9 %}{{ x }}{% endfor %}{{ x }}')).toBe(
      'ok: 19191',
    )
    expect(text('{% if true %}{% set x = 1 %}{% endif %}{{ x }}')).toBe('ok: 1')
    expect(text('{% with %}{% set x = 1 %}{% endwith %}{{ x }}')).toBe('ok: ')
  })

  it('are those of the whole template, also above the line that sets them', () => {
    // Jinja compiles a variable per scope: the loop reads the one that is set below, which is missing yet.
    expect(text('{% for i in [1] %}[{{ given }}]{% endfor %}{% set given = 1 %}{{ given }}')).toBe('ok: []1')
    expect(text('{{ given }}{% for i in [1] %}{{ given }}{% endfor %}{% set given = 1 %}')).toBe('ok: GG')
  })

  it('are read by a macro when it is called', () => {
    expect(text('{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{% set x = 2 %}{{ f() }}')).toBe('ok: 12')
    expect(
      text(
        '{% macro f(n) %}{% call g(n) %}{{ n }}{% endcall %}{% endmacro %}{% macro g(n) %}{{ f(n - 1) if n > 1 }}{{ caller() }}{% endmacro %}{{ f(3) }}',
      ),
    ).toBe('ok: 123')
  })
})

describe('loops of a Template', () => {
  // What each gives was looked up in Jinja 3.1.6.
  it.each([
    ['{% for i in [1, 2] %}{% if i == 2 %}{% break %}{% endif %}{% else %}E{% endfor %}', ''],
    ['{% for i in [] %}{% else %}E{% endfor %}', 'E'],
    // `else` runs where no iteration came to its end.
    ['{% for i in [1, 2] %}{% continue %}{% else %}E{% endfor %}', 'E'],
    ['{% for i in [1, 2] %}{% break %}{% else %}E{% endfor %}', 'E'],
    ['{% for i in [[1, [2, []]]] recursive %}{{ i[0] }}{{ loop.depth }}{{ loop([i[1]]) if i[1] }}{% endfor %}', '1122'],
    [
      '{% for i in [1, 2, 3] if i != 2 %}{{ loop.index }}{{ loop.last }}{{ loop.previtem }}{% endfor %}',
      '1False2True1',
    ],
  ])('%s', (source, text) => {
    expect(render(source, {})).toEqual({ ok: text })
  })
})

describe('numbers of a Template', () => {
  it('keep the spelling of the JSON that they were read from', () => {
    const json = '{"a": [1.0, 2, 12345678901234567890, 1e2, 1.5], "10": 1, "9": {"z": -3.0}}'
    const data = JSON.parse(json) as Record<string, unknown>
    rememberSpelling(json, data)
    expect(render('{{ data }}|{{ data | tojson }}', { data })).toEqual({
      ok:
        "{'a': [1.0, 2, 12345678901234567890, 100.0, 1.5], '10': 1, '9': {'z': -3.0}}" +
        '|{"a": [1.0, 2, 12345678901234567890, 100.0, 1.5], "10": 1, "9": {"z": -3.0}}',
    })
    // Changed since: what is there counts.
    ;(data.a as number[])[0] = 7
    expect(render('{{ data.a[0] }}', { data })).toEqual({ ok: '7' })
  })

  it('are whole or not by their value where no JSON says otherwise', () => {
    expect(render('{{ [a, b, c] }}', { a: 1, b: 1.5, c: 1e300 })).toEqual({ ok: '[1, 1.5, 1e+300]' })
  })
})
