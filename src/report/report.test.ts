import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Report, type ReportBlock, renderReport } from './report.ts'

const PAYLOADS = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</style><script>alert(1)</script>',
  '</title></svg><svg onload=alert(1)>',
  '<!--',
  ']]>',
  'javascript:alert(1)',
  '{{constructor.constructor("alert(1)")()}}',
  '\u0000<\u0000script>',
  '&lt;script&gt;',
]

/** A report with `text` in every place that takes text. */
function reportOf(text: string): Report {
  const chart = {
    title: text,
    x: text,
    y: text,
    note: text,
    series: [
      {
        name: text,
        points: [
          [1, 2],
          [2, 3],
        ] as const,
        labels: [text, text],
      },
    ],
  }
  const two = {
    ...chart,
    series: [
      {
        name: text,
        points: [
          [1, 2],
          [2, 3],
        ] as const,
      },
      { name: text, points: [[1, 2]] as const },
    ],
  }
  const blocks: ReportBlock[] = [
    { kind: 'prose', text },
    { kind: 'key-figures', figures: [{ label: text, value: text, detail: text }] },
    { kind: 'line-chart', ...two, marks: [{ x: 1.5, label: text }] },
    { kind: 'scatter', ...chart },
    { kind: 'bar-chart', title: text, unit: text, note: text, bars: [{ label: text, value: 1, detail: text }] },
    { kind: 'table', caption: text, columns: [text], rows: [[text], [null]] },
    { kind: 'samples', samples: [{ label: text, prompt: text, text }] },
    { kind: 'commands', lines: [text] },
    { kind: 'folded', title: text, text },
  ]
  return { title: text, subtitle: text, footer: text, sections: [{ title: text, lead: text, blocks }] }
}

/** Names of all tags and attributes, which a harmless text does not change. */
function structure(html: string): string {
  return [...html.matchAll(/<\/?([a-z!][a-z0-9-]*)((?:\s+[a-z-]+="[^"]*")*)\s*>/gi)]
    .map(([, tag, attributes]) => [tag, ...[...attributes!.matchAll(/([a-z-]+)="/g)].map(([, name]) => name)].join(' '))
    .join('\n')
}

describe('renderReport', () => {
  it.each(PAYLOADS)('shows %j as text', (payload) => {
    const html = renderReport(reportOf(payload))
    const harmless = renderReport(reportOf('x'.repeat(payload.length)))
    expect(structure(html)).toBe(structure(harmless))
    expect(html.match(/</g)!.length).toBe(harmless.match(/</g)!.length)
    expect(html).not.toMatch(/<script|<img|\son[a-z]+="|href="(?!data:)/i)
  })

  it('allows nothing but its own style sheet', () => {
    const html = renderReport(reportOf('x'))
    const style = /<style>(.*)<\/style>/s.exec(html)![1]!
    const hash = createHash('sha256').update(style).digest('base64')
    expect(html).toContain(`content="default-src 'none'; style-src 'sha256-${hash}'; img-src data:;`)
    // A style attribute would be refused by that policy, and a URL would be a request.
    expect(html).not.toMatch(/\sstyle=|url\(|@import|https?:/)
    expect(style).not.toContain('<')
  })

  it('is well formed: every element that opens closes', () => {
    const html = renderReport(reportOf('text & more'))
    const open: string[] = []
    const empty = new Set(['meta', 'link', '!doctype'])
    for (const [, slash, tag, selfClosing] of html.matchAll(/<(\/?)([a-z!][a-z0-9]*)(?:"[^"]*"|[^>"])*?(\/?)>/gi)) {
      if (empty.has(tag!.toLowerCase()) || selfClosing) continue
      if (slash) expect(open.pop()).toBe(tag)
      else open.push(tag!)
    }
    expect(open).toEqual([])
  })

  it('gives the same bytes for the same input', () => {
    expect(renderReport(reportOf('x'))).toBe(renderReport(reportOf('x')))
  })

  it('aligns columns of numbers and leaves empty cells empty', () => {
    const table = {
      kind: 'table',
      columns: ['name', 'ms'],
      rows: [
        ['a', 1234.6],
        ['b', null],
      ],
    } as const
    const html = renderReport({ title: 't', sections: [{ title: 's', blocks: [table] }] })
    expect(html).toContain(
      '<tr><td>a</td><td class="number">1,235</td></tr><tr><td>b</td><td class="number"></td></tr>',
    )
  })

  it('draws bars in proportion from zero', () => {
    const bars = [
      { label: 'ours', value: 50, isOurs: true },
      { label: 'other', value: 100 },
      { label: 'none', value: Number.NaN },
    ]
    const html = renderReport({
      title: 't',
      sections: [{ title: 's', blocks: [{ kind: 'bar-chart', title: 'b', unit: 'ms', bars }] }],
    })
    expect([...html.matchAll(/class="bar (\w+)" x="0%" width="([\d.]+%)"/g)].map(([, ...bar]) => bar)).toEqual([
      ['s1', '50%'],
      ['other', '100%'],
    ])
  })

  it('shows code in a fixed font: between backticks, and samples of it', () => {
    const blocks: ReportBlock[] = [
      { kind: 'prose', text: 'Say `a < b`.' },
      { kind: 'samples', samples: [{ label: 'x', text: 'let a', isCode: true }] },
    ]
    const html = renderReport({ title: 't', sections: [{ title: 's', lead: '`--seed 1`', blocks }] })
    expect(html).toContain('<p>Say <code>a &lt; b</code>.</p>')
    expect(html).toContain('<p class="lead"><code>--seed 1</code></p>')
    expect(html).toContain('<blockquote class="code" dir="ltr">let a</blockquote>')
  })

  it('splits prose at empty lines', () => {
    const html = renderReport({
      title: 't',
      sections: [{ title: 's', blocks: [{ kind: 'prose', text: 'one\n\n  two\nthree\n\n' }] }],
    })
    expect(html).toContain('<p>one</p><p>two\nthree</p>')
  })
})
