// A .json file that is one object written over several lines: a single row.

import { InputError } from '../../../errors.ts'
import { readChunks } from './chunks.ts'
import { jsonRow } from './json-lines.ts'
import type { FileRow, ReadContext } from './read-context.ts'

/** Yields the object of the file as its only row. Throws InputError when the file is longer than a row may be. */
export async function* readJsonObject(context: ReadContext): AsyncGenerator<FileRow> {
  const { maxLineBytes } = context.limits
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of readChunks(context)) {
    chunks.push(chunk)
    length += chunk.length
    if (length > maxLineBytes) {
      throw new InputError(
        `JSON object in ${context.file}: expected at most ${maxLineBytes} bytes, got more. ` +
          'Write the rows as JSON Lines, one object a line',
      )
    }
  }
  const all = Buffer.concat(chunks)
  const bytes = all.subarray(0, 3).toString('hex') === 'efbbbf' ? all.subarray(3) : all
  const row = jsonRow({ bytes, offset: length - bytes.length, line: 1, length: bytes.length }, context)
  if (row !== undefined) yield row
}
