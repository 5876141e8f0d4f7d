// How to make UTF-8 of a file that is something else: a command that can be pasted into a shell, which leaves the file as it is and
// names another for what comes out; in words where no command does it.

import { closeSync, existsSync, readSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { openPlainFile } from '../../files/open-plain-file.ts'
import { shellPath } from '../../shell-word.ts'

/** A sentence without its full stop: what to do with `file`, whose text is in `encoding` as iconv names it. */
export function convertAdvice(file: string, encoding: string): string {
  // Rows that are streamed from the hub: no command here reaches them.
  if (!existsSync(file)) return `write a copy in UTF-8 (it is ${encoding}) and read that in its place`
  const kind = kindOf(file)
  // The bytes of a table are not all text: iconv would break it.
  if (kind === 'parquet') return `Write the table anew with this text decoded from ${encoding}`
  const into = shellPath(beside(file))
  const converted =
    kind === 'gzip'
      ? `gzip -dc ${shellPath(file)} | iconv -f ${encoding} -t UTF-8 > ${into}`
      : `iconv -f ${encoding} -t UTF-8 ${shellPath(file)} > ${into}`
  return `${converted} and read that file in its place`
}

/** `folder/a.txt.gz` → `folder/a.utf8.txt`. */
function beside(file: string): string {
  const name = basename(file).replace(/\.gz$/i, '')
  return join(dirname(file), /\.[^.]*$/.test(name) ? name.replace(/(\.[^.]*)$/, '.utf8$1') : `${name}.utf8`)
}

function kindOf(file: string): 'parquet' | 'gzip' | 'plain' {
  const { descriptor } = openPlainFile(file)
  try {
    const start = Buffer.alloc(4)
    readSync(descriptor, start, 0, 4, 0)
    if (start.toString('latin1') === 'PAR1') return 'parquet'
    return start.readUInt16BE(0) === 0x1f8b ? 'gzip' : 'plain'
  } finally {
    closeSync(descriptor)
  }
}
