// Rows of a dataset on the hub → a file of JSON lines, read as they come: the first thousand of a dataset of a hundred gigabytes take seconds, and a
// dataset that would not fit twice on the disk is not kept in the cache besides.
import { basename, dirname } from 'node:path'
import { lacksBytes } from '../data/read/formats/parquet.ts'
import { readRows } from '../data/read/sources.ts'
import { UsageError } from '../errors.ts'
import { writeFileInTurns } from '../files/atomic-write.ts'
import { sweepLeftovers } from '../files/leftover.ts'
import { checkOutputFile } from '../files/output-file.ts'
import { norAPath } from '../hub/nor-a-path.ts'
import { type DatasetOptions, openDataset } from '../hub/pull-dataset.ts'
import { stringifySpelled } from '../text/json-spelling.ts'
import type { Watch } from '../work.ts'

/** What is streamed where, and how the hub is asked. */
export interface StreamDatasetOptions extends DatasetOptions {
  /** The file, as JSON lines; replaced whole or not at all. */
  out: string
  /** Rows, the first of the split; default all. */
  maxSamples?: number | undefined
  /** The share of lines that may be bad, 0 to 1; they are left out. Default 0.001. */
  maxBadFraction?: number | undefined
}

/** What {@link streamDataset} wrote. */
export interface StreamedDataset {
  /** `ORG/NAME@commit:split`. */
  name: string
  commit: string
  out: string
  rows: number
  /** Bytes of `out`. */
  bytes: number
}

/**
 * Streams a split. Errors as of `pullDataset`; InputError where too many lines are bad, UsageError for `out` and `maxSamples`.
 *
 * @example
 * await streamDataset('HuggingFaceFW/fineweb:sample-10BT/train', { out: 'sample.jsonl', maxSamples: 1000 })
 */
export async function streamDataset(
  text: string,
  { out, maxSamples = Number.POSITIVE_INFINITY, maxBadFraction, ...options }: StreamDatasetOptions,
): Promise<StreamedDataset> {
  if (!(maxSamples >= 1)) throw new UsageError(`maxSamples: expected at least 1, got ${maxSamples}`)
  checkOutputFile(out, 'out')
  if (!/\.(?:jsonl|ndjson)$/i.test(out))
    throw new UsageError(
      `out: expected a name that ends in .jsonl, got ${out}. The rows are JSON lines, and whoever reads them goes by the name`,
    )
  sweepLeftovers(dirname(out), { only: basename(out) }) // a gigabyte of a kill would stay for ever
  const left = new AbortController()
  const { tell, signal } = options.watch ?? {}
  // What is asked for ahead is not waited for when nobody wants it any more.
  const watch: Watch = { tell, signal: AbortSignal.any([left.signal, ...(signal ? [signal] : [])]) }
  const { name, commit, files } = await norAPath(openDataset(text, { ...options, watch }))
  let rows = 0
  const cut = new Set<string>()
  const progress = (): void =>
    tell?.({
      type: 'progress',
      label: `streaming ${name.split('@')[0]}`,
      done: rows,
      ...(maxSamples < Number.POSITIVE_INFINITY && { total: maxSamples }),
      unit: 'rows',
    })
  try {
    const { size } = await writeFileInTurns(out, async (sink) => {
      progress()
      const reading = readRows(files, {
        ...(maxBadFraction !== undefined && { maxBadFraction }),
        onNotice: (message) => tell?.({ type: 'notice', message }),
      })
      for await (const { row } of reading) {
        signal?.throwIfAborted()
        sink.write(`${stringifySpelled(typeof row === 'string' ? { text: row } : row)}\n`)
        if (typeof row !== 'string') for (const [key, value] of Object.entries(row)) if (lacksBytes(value)) cut.add(key)
        if (++rows % 100 === 0) progress()
        if (rows >= maxSamples) break
      }
      progress()
    })
    if (cut.size > 0)
      tell?.({
        type: 'notice',
        message: `${[...cut].join(', ')}: bytes that are no text have no place in JSON lines; their number stands for them. The files themselves have them`,
      })
    return { name, commit, out, rows, bytes: size }
  } finally {
    left.abort(new Error('enough rows'))
  }
}
