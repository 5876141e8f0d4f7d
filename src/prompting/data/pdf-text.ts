// The text of a PDF, page by page, by pdf.js (as unpdf packs it). What has no text to read says so: nothing is guessed from pictures.

import { readFile, stat } from 'node:fs/promises'
import { AnnealError, InputError, messageOf, UnsupportedError } from '../../errors.ts'

/** A page with text. */
export interface PdfPage {
  readonly text: string
  /** From 1. */
  readonly page: number
  readonly pages: number
}

/** How PDFs are read. */
export interface PdfOptions {
  /** A longer file is refused: it is held in memory. */
  maxBytes: number
  notice: (message: string) => void
}

/** Page numbers that are written out. */
const NAMED = 8

/** The pages that have text. InputError where it is no whole PDF, or none has; UnsupportedError where it asks for a password. */
export async function* readPdf(
  file: string,
  { maxBytes, notice }: PdfOptions,
): AsyncGenerator<PdfPage, void, undefined> {
  const { size } = await stat(file)
  if (size > maxBytes) throw new InputError(`PDF in ${file}: expected at most ${maxBytes} bytes, got ${size}. Split it`)
  const bytes = await readFile(file)
  if (!bytes.subarray(0, 1024).includes('%PDF-'))
    throw new InputError(
      `PDF in ${file}: expected %PDF- in its first bytes, got something else. Is it misnamed or packed?`,
    )
  const pdf = await opened(file, bytes)
  try {
    const { numPages: pages } = pdf
    const blank: number[] = []
    for (let page = 1; page <= pages; page++) {
      const text = await pageText(file, pdf, page)
      if (text.trim() === '') blank.push(page)
      else yield { text, page, pages }
    }
    if (blank.length === pages)
      throw new InputError(
        `PDF in ${file}: expected text, got ${pages === 1 ? 'a page' : `${pages} pages`} without any, such as a scan. Recognise its text elsewhere and read that`,
      )
    if (blank.length > 0)
      notice(
        `${file}: ${blank.length} of ${pages} pages have no text: ${blank.slice(0, NAMED).join(', ')}${blank.length > NAMED ? ', …' : ''}`,
      )
  } finally {
    await pdf.destroy()
  }
}

async function pageText(file: string, pdf: Pdf, number: number): Promise<string> {
  try {
    const page = await pdf.getPage(number)
    const { items } = await page.getTextContent()
    page.cleanup()
    return items.map(({ str = '', hasEOL = false }) => (hasEOL ? `${str}\n` : str)).join('')
  } catch (cause) {
    throw new InputError(`PDF in ${file}: expected page ${number} to be whole, got ${messageOf(cause)}`, { cause })
  }
}

/** What is used of the package. */
interface Pdf {
  readonly numPages: number
  getPage(number: number): Promise<{
    getTextContent(): Promise<{ items: readonly { str?: string; hasEOL?: boolean }[] }>
    cleanup(): void
  }>
  destroy(): Promise<void>
}

async function opened(file: string, bytes: Buffer): Promise<Pdf> {
  const open = await opener()
  try {
    // Says nothing of faults that it can mend.
    return await open(new Uint8Array(bytes), { verbosity: 0 })
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'PasswordException')
      throw new UnsupportedError(`PDF in ${file}: expected one that opens, got one with a password. Save it without`, {
        cause,
      })
    throw new InputError(`PDF in ${file}: expected a whole PDF, got ${messageOf(cause)}`, { cause })
  }
}

/** Not named where the compiler looks: who reads no PDF needs no such package. */
async function opener(): Promise<(bytes: Uint8Array, options: object) => Promise<Pdf>> {
  const name: string = 'unpdf'
  try {
    return (await import(name)).getDocumentProxy
  } catch (cause) {
    throw new AnnealError('PDF: expected the package unpdf, got none. Install the dependencies (npm install)', {
      cause,
    })
  }
}
