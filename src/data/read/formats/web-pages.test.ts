// HTML pages and web archives: what is read of them, and what is left of damaged ones.
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { dataFolder } from '../../../../test/data-folder.ts'
import { DEFAULT_LIMITS } from '../limits.ts'
import { openFile } from '../sources.ts'
import { decodePage, textOf } from './html.ts'
import type { BadStretch, FileRow } from './read-context.ts'

const { file } = dataFolder()

async function read(path: string, format: 'html' | 'warc') {
  const bad: BadStretch[] = []
  const notices: string[] = []
  const rows: FileRow[] = []
  const context = {
    file: path,
    limits: DEFAULT_LIMITS,
    bad: (stretch: BadStretch) => bad.push(stretch),
    good: () => {},
    notice: (message: string) => notices.push(message),
  }
  for await (const row of openFile(context, format)) rows.push(row)
  return {
    rows: rows.map(({ row, ...place }) => ({ ...(row as { text: string; url?: string }), ...place })),
    bad,
    notices,
  }
}

const sentence =
  'Der bor en gammel fisker ude ved havet, og hver morgen ror han ud for at sætte sine garn, mens solen står op. '
const page = (
  title: string,
  body = '',
): string => `<!doctype html><html lang="da"><head><title>${title}</title><style>p { color: red }</style></head><body>
<nav><ul><li><a href="/">Forside</a></li><li><a href="/om">Om os</a></li></ul></nav>
<article><h1>${title}</h1><p>${sentence.repeat(4)}</p><p>Han har <b>tre</b> både:</p>
<ul><li>den <span>røde</span></li><li>den blå</li></ul>
<table><tr><th>båd</th><th>år</th></tr><tr><td>Maren</td><td>1962</td></tr></table>
<p>${sentence.repeat(3)}</p>${body}</article><script>var x = '<p>nej</p>'</script><footer><p>Cookies</p></footer></body></html>`

describe('HTML', () => {
  it('gives what is to be read, with lists and tables, and without menus and scripts', async () => {
    const { rows, bad } = await read(file('page.html', page('Fiskeren')), 'html')
    expect(bad).toEqual([])
    const { text, title, extracted } = rows[0] as { text: string } & Record<string, unknown>
    expect(title).toBe('Fiskeren')
    expect(text).toContain(
      `${sentence.repeat(4).trim()}\n\nHan har tre både:\n- den røde\n- den blå\n\nbåd år\nMaren 1962`,
    )
    expect(text).not.toMatch(/Forside|Cookies|nej|color/)
    expect(extracted).toBeGreaterThan(0.8)
    expect(extracted).toBeLessThan(1)
  })

  it('does not read a page that is nested without end, and reads one of very many elements in line', async () => {
    const nested = (depth: number): string => page('Dyb', `${'<div>'.repeat(depth)}<p>${sentence}</p>`)
    expect((await read(file('deep.html', nested(100)), 'html')).rows).toHaveLength(1)
    const { rows, bad } = await read(file('deeper.html', nested(20_000)), 'html')
    expect(rows).toEqual([])
    expect(bad.map(({ reason }) => reason)).toEqual(['too-deep'])
    // The list of children is made anew whenever it is asked for: once for each element.
    let asked = 0
    const node = (nodeName: string, children: readonly object[] = []): object => ({
      nodeType: 1,
      nodeName,
      get childNodes() {
        asked++
        return children
      },
    })
    const many = node(
      'P',
      Array.from({ length: 50 }, () => node('BR')),
    )
    textOf(many as Parameters<typeof textOf>[0])
    expect(asked).toBe(1)
  })

  it('reports a page with nothing to read', async () => {
    for (const html of ['', '<html><body></body></html>', '<html><body><script>1</script></body></html>']) {
      const { rows, bad } = await read(file('empty.html', html), 'html')
      expect(rows).toEqual([])
      expect(bad.map(({ reason }) => reason)).toEqual(['no-article'])
    }
  })

  it('is decoded as the page says, else as UTF-8, else as Windows-1252', () => {
    expect(decodePage(Buffer.from('<meta charset="iso-8859-1">æ', 'latin1'), undefined)).toContain('æ')
    expect(decodePage(Buffer.from('æ'), undefined)).toBe('æ')
    expect(decodePage(Buffer.from('æ', 'latin1'), undefined)).toBe('æ')
    expect(decodePage(Buffer.from('<meta charset="nobody-knows">æ'), undefined)).toContain('æ')
    expect(decodePage(Buffer.from('æ', 'latin1'), 'iso-8859-1')).toBe('æ')
  })
})

interface Part {
  type?: string
  url?: string
  http?: string
  body?: Buffer | string
  length?: number
  version?: string
}
function record({
  type = 'response',
  url = 'http://a.dk/',
  http = 'HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8',
  body = '',
  length,
  version = '1.0',
}: Part): Buffer {
  const content =
    type === 'response' ? Buffer.concat([Buffer.from(`${http}\r\n\r\n`), Buffer.from(body)]) : Buffer.from(body)
  const head = `WARC/${version}\r\nWARC-Type: ${type}\r\nWARC-Target-URI: ${url}\r\nWARC-Date: 2024-01-01T00:00:00Z\r\nContent-Length: ${length ?? content.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), content, Buffer.from('\r\n\r\n')])
}
const html = (more: string): string => `${http200}\r\n${more}`
const http200 = 'HTTP/1.1 200 OK\r\nContent-Type: text/html'

describe('WARC', () => {
  const good = [
    record({ type: 'warcinfo', body: 'software: x' }),
    record({ url: 'http://a.dk/1', body: page('Et') }),
    record({ url: 'http://a.dk/2', http: html('Content-Encoding: gzip'), body: gzipSync(page('To')), version: '1.1' }),
    record({
      url: 'http://a.dk/3',
      http: html('Content-Encoding: br'),
      body: brotliCompressSync(page('Tre')),
      version: '0.18',
    }),
    record({
      url: 'http://a.dk/4',
      http: html('Transfer-Encoding: chunked'),
      body: chunked(Buffer.from(page('Fire'))),
    }),
    record({ url: 'http://a.dk/5', http: 'HTTP/1.1 404 Not Found', body: page('Væk') }),
    record({ url: 'http://a.dk/6', http: 'HTTP/1.1 200 OK\r\nContent-Type: image/png', body: 'png' }),
    record({ type: 'conversion', url: 'http://a.dk/7', body: 'Ren tekst' }),
  ]
  const urls = ['1', '2', '3', '4', '7'].map((n) => `http://a.dk/${n}`)

  it('gives the pages of its records, packed or chunked, and leaves out what is no page', async () => {
    for (const [name, bytes] of [
      ['plain.warc', Buffer.concat(good)],
      ['members.warc.gz', Buffer.concat(good.map((each) => gzipSync(each)))],
      ['whole.warc.gz', gzipSync(Buffer.concat(good))],
    ] as const) {
      const { rows, bad } = await read(file(name, bytes), 'warc')
      expect(bad).toEqual([])
      expect(rows.map(({ url }) => url)).toEqual(urls)
      expect(rows.at(-1)!.text).toBe('Ren tekst')
      expect(rows[3]!.text).toContain('Han har tre både')
    }
  })

  it('finds the next record after one that lies about its length, and reports where it was', async () => {
    const lie = record({ url: 'http://a.dk/x', body: page('Løgn'), length: 40 })
    const bytes = Buffer.concat([good[1]!, lie, good[7]!])
    const { rows, bad } = await read(file('lie.warc', bytes), 'warc')
    expect(rows.map(({ url }) => url)).toEqual(['http://a.dk/1', 'http://a.dk/7'])
    expect(bad).toHaveLength(1)
    expect(bad[0]).toMatchObject({ reason: 'bad-warc', offset: good[1]!.length, length: lie.length })
    const rubbish = Buffer.concat([Buffer.from('rubbish '.repeat(50)), Buffer.from('\r\n\r\n'), good[7]!])
    expect((await read(file('rubbish.warc', rubbish), 'warc')).rows).toHaveLength(1)
  })

  it('that is cut short gives what is whole, and says so', async () => {
    const whole = Buffer.concat(good)
    const { rows, bad } = await read(
      file('cut.warc', whole.subarray(0, good[0]!.length + good[1]!.length + 300)),
      'warc',
    )
    expect(rows.map(({ url }) => url)).toEqual(['http://a.dk/1'])
    expect(bad.map(({ reason, offset }) => [reason, offset])).toEqual([
      ['truncated', good[0]!.length + good[1]!.length],
    ])
    const members = good.map((each) => gzipSync(each))
    const packed = Buffer.concat(members)
    const cut = await read(file('cut.warc.gz', packed.subarray(0, packed.length - members[7]!.length - 30)), 'warc')
    expect(cut.rows.map(({ url }) => url)).toEqual(urls.slice(0, 4))
    expect(cut.bad.map(({ reason }) => reason)).toContain('truncated')
    expect(cut.notices.join()).toMatch(/cut short/)
  })

  it('goes on after a member that is damaged', async () => {
    const members = good.map((each) => gzipSync(each))
    const broken = Buffer.from(members[2]!)
    broken.fill(0xff, 40, 80)
    const bytes = Buffer.concat([...members.slice(0, 2), broken, ...members.slice(3)])
    const { rows, bad } = await read(file('damaged.warc.gz', bytes), 'warc')
    expect(rows.map(({ url }) => url)).toEqual(urls.filter((url) => !url.endsWith('/2')))
    expect(bad.map(({ reason }) => reason)).toContain('damaged')
  })
})

function chunked(body: Buffer): Buffer {
  const half = body.length >> 1
  return Buffer.concat(
    [body.subarray(0, half), body.subarray(half), Buffer.alloc(0)].map((piece) =>
      Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
    ),
  )
}
