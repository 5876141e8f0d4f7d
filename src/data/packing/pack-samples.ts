// Several short samples in one row, so that no compute goes into padding: best-fit decreasing bin packing.
// Samples stay whole and do not see each other (`starts`). TRL calls this strategy "bfd".

import { InputError } from '../../errors.ts'
import { IGNORE_INDEX } from '../batch.ts'
import type { Dataset, Sample } from '../sample.ts'

/** Rows of at most `maxLength` tokens that hold every sample (but empty ones) once. Throws InputError at a sample that is longer. */
export function packSamples(dataset: Dataset<Sample>, maxLength: number): Dataset<Sample> {
  const lengths = Int32Array.from({ length: dataset.length }, (_, index) => dataset.get(index).ids.length)
  const tooLong = lengths.findIndex((length) => length > maxLength)
  if (tooLong !== -1) {
    throw new InputError(
      `sample ${tooLong}: expected at most ${maxLength} tokens to pack, got ${lengths[tooLong]}. ` +
        'Drop or truncate long samples first, or raise the length',
    )
  }
  const rows = fillRows(lengths, maxLength)
  return {
    length: rows.length,
    get: (row) => concatenate(rows[row]!, dataset),
  }
}

/** Puts each length, longest first, into the row where it leaves the least room. Returns the indices in each row. */
function fillRows(lengths: Int32Array, maxLength: number): number[][] {
  const longestFirst = Uint32Array.from(lengths.keys())
    .filter((index) => lengths[index]! > 0)
    .sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  const rows: number[][] = []
  // rowsWithRoom[r] are the rows with r tokens of room, and bit r of `rooms` says whether there are any.
  const rowsWithRoom: number[][] = Array.from({ length: maxLength + 1 }, () => [])
  const rooms = new Uint32Array((maxLength >>> 5) + 1)
  for (const index of longestFirst) {
    const length = lengths[index]!
    let room = firstRoom(rooms, length)
    let row = rows.length
    if (room === undefined) {
      room = maxLength
      rows.push([])
    } else {
      row = rowsWithRoom[room]!.pop()!
      if (rowsWithRoom[room]!.length === 0) rooms[room >>> 5]! &= ~(1 << (room & 31))
    }
    rows[row]!.push(index)
    rowsWithRoom[room - length]!.push(row)
    rooms[(room - length) >>> 5]! |= 1 << ((room - length) & 31)
  }
  return rows
}

/** The smallest room of at least `length`, if any. */
function firstRoom(rooms: Uint32Array, length: number): number | undefined {
  let mask = -1 << (length & 31)
  for (let word = length >>> 5; word < rooms.length; word++) {
    const bits = rooms[word]! & mask
    // The lowest set bit alone, as its index.
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits & -bits)
    mask = -1
  }
  return undefined
}

function concatenate(indices: readonly number[], dataset: Dataset<Sample>): Sample {
  const samples = indices.map((index) => dataset.get(index))
  const length = samples.reduce((sum, { ids }) => sum + ids.length, 0)
  const ids = new Int32Array(length)
  const labels = new Int32Array(length)
  const starts: number[] = []
  const members: number[] = []
  let at = 0
  for (const [i, sample] of samples.entries()) {
    ids.set(sample.ids, at)
    labels.set(sample.labels, at)
    for (const start of sample.starts ?? [0]) {
      starts.push(at + start)
      members.push(indices[i]!)
      // What comes before a sample's first token belongs to another sample and must not be asked for it.
      labels[at + start] = IGNORE_INDEX
    }
    at += sample.ids.length
  }
  return { ids, labels, starts: Int32Array.from(starts), members: Int32Array.from(members) }
}
