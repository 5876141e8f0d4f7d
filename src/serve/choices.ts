// The texts of one request, side by side: they wait for room together, and end together where one fails or nobody listens any more.

import type { TracedPiece } from './request-trace.ts'
import type { Call } from './service.ts'

/** A piece, and which text of the request it belongs to. */
export interface Indexed<Piece> {
  index: number
  piece: Piece
}

/** Pieces of `count` texts as they come; `begin` starts one. The priority decides about the place in the queue. */
export async function* choices<Piece extends TracedPiece>(
  { service, signal, key, trace }: Call,
  { count, priority = 0 }: { count: number; priority?: number | undefined },
  begin: (index: number, signal: AbortSignal) => AsyncIterable<Piece>,
): AsyncGenerator<Indexed<Piece>, void, undefined> {
  const ticket = await service.admission.enter({ rows: count, key, priority, signal })
  const others = new AbortController()
  const any = AbortSignal.any([signal, others.signal])
  try {
    trace.admitted(ticket.waitedSeconds)
    const texts = Array.from({ length: count }, (_, index) => begin(index, any))
    const open = new Set(texts.keys())
    for await (const next of merged(texts, () => others.abort())) {
      trace.piece(next.index, next.piece)
      if (next.piece.finishReason !== undefined) open.delete(next.index)
      yield next
    }
    // Clients would take half a text for a whole one.
    if (open.size > 0) throw new Error('a continuation ended without a finish reason')
  } finally {
    ticket.leave()
  }
}

/** The pieces of several texts in the order in which they come; `stop` ends those that still run when nobody asks for more. */
async function* merged<Piece>(
  texts: readonly AsyncIterable<Piece>[],
  stop: () => void,
): AsyncGenerator<Indexed<Piece>, void, undefined> {
  const iterators = texts.map((text) => text[Symbol.asyncIterator]())
  const next = async (index: number): Promise<{ index: number; result: IteratorResult<Piece> }> => ({
    index,
    result: await iterators[index]!.next(),
  })
  const open = new Map(iterators.map((_, index) => [index, next(index)]))
  try {
    while (open.size > 0) {
      const { index, result } = await Promise.race(open.values())
      if (result.done) open.delete(index)
      else {
        open.set(index, next(index))
        yield { index, piece: result.value }
      }
    }
  } finally {
    stop()
    // What was asked for already is of no interest to anybody, nor is how it fails.
    for (const pending of open.values()) pending.catch(() => undefined)
    await Promise.allSettled(iterators.map((iterator) => iterator.return?.()))
  }
}
