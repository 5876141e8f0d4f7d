// A made-up model that says one character and then waits, for tests of what happens meanwhile.
import { fakeLm } from '../../src/lm/fake-lm.ts'
import type { Lm } from '../../src/lm/lm.ts'

export interface HeldLm {
  lm: Lm
  /** A text was begun, now or before. */
  started(): Promise<void>
  /** A text was aborted, now or before. */
  aborted(): Promise<void>
  /** Lets all go on, those to come too. */
  release(): void
}

export function heldLm(reply = 'Hello there.'): HeldLm {
  const lm = fakeLm({ reply: () => reply })
  const { generate } = lm
  const [start, abort, go] = [gate(), gate(), gate()]
  lm.generate = async function* (request) {
    let isFirst = true
    for await (const piece of generate(request)) {
      yield piece
      if (!isFirst) continue
      isFirst = false
      start.open()
      const { signal } = request
      if (signal?.aborted) abort.open()
      signal?.addEventListener('abort', () => abort.open(), { once: true })
      await Promise.race([go.opened, abort.opened])
    }
  }
  return { lm, started: () => start.opened, aborted: () => abort.opened, release: go.open }
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
