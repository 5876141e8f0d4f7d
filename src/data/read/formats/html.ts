// HTML pages: what a reader would read of a page (by Readability, which Firefox uses), as plain text with its lists and tables. A page
// of which nothing is to be read, such as a menu, is reported.

import { AnnealError, InputError } from '../../../errors.ts'
import { DEFAULT_LIMITS } from '../limits.ts'
import { readChunks } from './chunks.ts'
import type { FileRow, ReadContext } from './read-context.ts'

/** A page as text. */
export interface PageText {
  text: string
  title: string
  /** Share of the visible text of the page that is in it. */
  extracted: number
}

/** Yields one row `{ text, title, extracted }` for a file. */
export async function* readHtml(context: ReadContext): AsyncGenerator<FileRow> {
  const { file, limits } = context
  const chunks: Buffer[] = []
  let length = 0
  // The bytes as they are: a page says itself what it is encoded in.
  for await (const chunk of readChunks(context)) {
    length += chunk.length
    if (length > limits.maxLineBytes)
      throw new InputError(`page in ${file}: expected at most ${limits.maxLineBytes} bytes, got more`)
    chunks.push(chunk)
  }
  const bytes = Buffer.concat(chunks)
  const place = { offset: 0, line: 1, length }
  const html = decodePage(bytes, context.encoding === undefined ? undefined : 'utf-8')
  const page = await pageText(html, limits.maxDepth)
  if (typeof page === 'string') {
    const detail =
      page === 'too-deep' ? `elements inside of more than ${limits.maxDepth} others` : 'nothing to read on the page'
    context.bad({ ...place, reason: page, detail, bytes: bytes.subarray(0, 200) })
    return
  }
  yield { ...place, row: { ...page } }
}

/** Bytes of a page → text, by what a header says, a byte order mark, or the page itself; else UTF-8, and Windows-1252 where it is none. */
export function decodePage(bytes: Uint8Array, charset: string | undefined): string {
  const start = Buffer.from(bytes.subarray(0, 2048)).toString('latin1')
  const mark =
    bytes[0] === 0xfe && bytes[1] === 0xff
      ? 'utf-16be'
      : bytes[0] === 0xff && bytes[1] === 0xfe
        ? 'utf-16le'
        : undefined
  const said = mark ?? charset ?? /<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)/i.exec(start)?.[1]
  try {
    if (said !== undefined) return new TextDecoder(said).decode(bytes)
  } catch {
    // A name that nobody knows says nothing.
  }
  const text = new TextDecoder('utf-8').decode(bytes)
  return text.includes('\ufffd') ? new TextDecoder('windows-1252').decode(bytes) : text
}

/**
 * What is to be read on a page, or why there is nothing. Browsers flatten what is nested deeper than some 512 elements; such a page is no
 * text of people, and what looks for its article takes the square of the depth and more.
 */
export async function pageText(
  html: string,
  maxDepth: number = DEFAULT_LIMITS.maxDepth,
): Promise<PageText | 'no-article' | 'too-deep'> {
  const { parseHTML, Readability } = await readers()
  const { document } = parseHTML(html)
  if (document.documentElement === null || document.body === null) return 'no-article'
  if (isDeeper(document.documentElement, maxDepth)) return 'too-deep'
  const visible = lengthOf(textOf(document.body))
  const article = new Readability(document, { serializer: (node) => node }).parse()
  const text = article?.content ? textOf(article.content).trim() : ''
  if (text === '') return 'no-article'
  return { text, title: article!.title ?? '', extracted: visible === 0 ? 0 : Math.min(1, lengthOf(text) / visible) }
}

/** Whether anything lies inside of more than `most` elements. Walks along the tree: calls would be as deep as it. */
function isDeeper(root: HtmlNode, most: number): boolean {
  let depth = 0
  for (let node: HtmlNode | null = root; node !== null; ) {
    if (node.firstChild !== null && node.firstChild !== undefined) {
      if (++depth > most) return true
      node = node.firstChild
      continue
    }
    while (node !== null && node !== root && node.nextSibling === null) {
      node = node.parentNode
      depth--
    }
    if (node === root || node === null) return false
    node = node.nextSibling
  }
  return false
}

/** What is used of the two packages. */
interface Readers {
  parseHTML(html: string): { document: { documentElement: HtmlNode | null; body: HtmlNode | null } }
  Readability: new (
    document: object,
    options: { serializer: (node: HtmlNode) => HtmlNode },
  ) => { parse(): { content?: HtmlNode | null; title?: string | null } | null }
}

/** Not named where the compiler looks: one may work on everything else without the packages. */
async function readers(): Promise<Readers> {
  const [dom, reader]: string[] = ['linkedom', '@mozilla/readability']
  try {
    const [{ parseHTML }, { Readability }] = await Promise.all([import(dom!), import(reader!)])
    return { parseHTML, Readability }
  } catch (cause) {
    throw new AnnealError(
      'HTML: expected the packages linkedom and @mozilla/readability, got none. Install the dependencies (npm install)',
      { cause },
    )
  }
}

/** The little of the DOM that is walked. */
interface HtmlNode {
  readonly nodeType: number
  readonly nodeName: string
  readonly textContent: string | null
  readonly childNodes: ArrayLike<HtmlNode>
  readonly firstChild: HtmlNode | null
  readonly nextSibling: HtmlNode | null
  readonly parentNode: HtmlNode | null
}

const BLOCKS: ReadonlySet<string> = new Set(
  'ADDRESS ARTICLE ASIDE BLOCKQUOTE DD DIV DL DT FIGCAPTION FIGURE FOOTER FORM H1 H2 H3 H4 H5 H6 HEADER HR MAIN NAV OL P PRE SECTION TABLE UL'.split(
    ' ',
  ),
)
const UNSEEN: ReadonlySet<string> = new Set(
  'SCRIPT STYLE NOSCRIPT TEMPLATE HEAD IFRAME OBJECT SVG BUTTON SELECT'.split(' '),
)

/** Plain text: a blank line between blocks, a line for each item and each row. */
export function textOf(root: HtmlNode): string {
  const parts: string[] = []
  const walk = (node: HtmlNode, isPre: boolean): void => {
    if (node.nodeType === 3) {
      const text = node.textContent ?? ''
      parts.push(isPre ? text : text.replace(/\s+/g, ' '))
      return
    }
    const name = node.nodeName.toUpperCase()
    if (node.nodeType !== 1 && node.nodeType !== 9 && node.nodeType !== 11) return
    if (UNSEEN.has(name)) return
    if (name === 'BR') {
      parts.push('\n')
      return
    }
    const isBlock = BLOCKS.has(name)
    if (isBlock) parts.push('\n\n')
    else if (name === 'LI') parts.push('\n- ')
    else if (name === 'TR') parts.push('\n')
    else if (name === 'TD' || name === 'TH') parts.push(' ')
    // Asked for once: the list is made anew each time, which over many children takes the square of their number.
    const children = node.childNodes
    for (let i = 0; i < children.length; i++) walk(children[i]!, isPre || name === 'PRE')
    if (isBlock) parts.push('\n\n')
  }
  walk(root, false)
  return parts
    .join('')
    .replace(/[ \t]*\n[ \t]*/g, '\n')
    .replace(/- \n+/g, '- ')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/\n{2,}(?=- )/g, '\n')
    .replace(/ {2,}/g, ' ')
    .trim()
}

function lengthOf(text: string): number {
  return text.replace(/\s+/g, '').length
}
