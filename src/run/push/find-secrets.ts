// Tokens, keys and passwords in the texts that are to go, wherever in a file they stand: read in pieces, also from what gzip has packed.
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

/** What looks like a secret. */
export interface Secret {
  path: string
  /** From 1. */
  line: number
  /** Its beginning, which tells the kind and not the secret. */
  shown: string
}

/** What never holds text that a person wrote. */
const NO_TEXT =
  /\.(?:safetensors|gguf|bin|pt|pth|ckpt|npy|npz|parquet|arrow|png|jpe?g|gif|webp|mp[34]|wav|flac|ogg|pdf|zip|tar|tgz|bz2|xz|zst|model|onnx|woff2?)$/i
const BEFORE = String.raw`(?:(?<![A-Za-z0-9_])|(?<=\\[nrtbf"\\/])|(?<=\\u[0-9A-Fa-f]{4}))`
/** Letters of both cases and digits, as chance makes them and people do not. */
const MIXED = String.raw`(?=[\w-]*\d)(?=[\w-]*[A-Z])`
const KINDS: readonly string[] = [
  'hf_[A-Za-z0-9]{30,}',
  'api_org_[A-Za-z0-9]{30,}',
  `sk-${MIXED}[A-Za-z0-9_-]{32,}`,
  'gh[pousr]_[A-Za-z0-9]{36,}',
  'github_pat_[A-Za-z0-9_]{50,}',
  `glpat-[A-Za-z0-9_-]{20,}`,
  'xox[abeoprs]-[A-Za-z0-9-]{20,}',
  'AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])',
  '(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])',
  'npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])',
  `pypi-${MIXED}[A-Za-z0-9_-]{50,}`,
]
/** Repetitions have ends, so that no text makes the search slow. */
const SECRET = new RegExp(
  String.raw`${BEFORE}(?:${KINDS.map((kind) => kind.replace(/,\}/g, ',400}')).join('|')})|-----BEGIN (?:[A-Z]{2,10} ){0,3}PRIVATE KEY-----|https?:\/\/[^\s\/:@"'<>{}$*]{1,64}:[^\s\/:@"'<>{}$*]{3,128}@[A-Za-z0-9.-]{1,64}`,
  'g',
)
/** Of the documentation of Amazon, and what people write in place of a token. */
const EXAMPLE = /^AKIAIOSFODNN7EXAMPLE$|^[A-Za-z]+[_-]?([xX*])\1+$/
/** Longer than whatever is looked for: pieces overlap by it. */
const OVERLAP = 1024
const PIECE = 1 << 20
/** Enough to be told of. */
const MAX_FOUND = 1000

/** What looks like a secret in the text of `source`; nothing in what is no text. */
export async function findSecrets(source: string, path: string, signal?: AbortSignal): Promise<Secret[]> {
  if (NO_TEXT.test(path)) return []
  const found: Secret[] = []
  let tail = ''
  let line = 1
  const look = (text: string, end: number): void => {
    let from = 0
    for (const match of text.matchAll(SECRET)) {
      // What reaches into the overlap is found again with the next piece, whole.
      if (match.index >= end) break
      line += linesIn(text, from, match.index)
      from = match.index
      if (found.length < MAX_FOUND && !EXAMPLE.test(match[0]))
        found.push({ path, line, shown: `${match[0].slice(0, 6)}…` })
    }
    line += linesIn(text, from, end)
  }
  try {
    for await (const chunk of opened(source, path)) {
      signal?.throwIfAborted()
      const bytes = chunk as Buffer
      if (tail === '' && bytes.subarray(0, 8192).includes(0)) return []
      const text = tail + bytes.toString('latin1')
      const end = Math.max(0, text.length - OVERLAP)
      look(text, end)
      tail = text.slice(end)
    }
  } catch (error) {
    // What is packed wrongly is the business of whoever reads it.
    if (!/^Z_/.test((error as { code?: string }).code ?? '')) throw error
  }
  look(tail, tail.length)
  return found
}

function opened(source: string, path: string): Readable {
  const file = createReadStream(source, { highWaterMark: PIECE })
  if (!/\.gz$/i.test(path)) return file
  const packed = createGunzip()
  file.on('error', (error) => packed.destroy(error))
  return file.pipe(packed)
}

function linesIn(text: string, from: number, to: number): number {
  let count = 0
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count++
  return count
}
