// The last line of every page that a run writes: what made it, so that two pages can be compared.

import { engineInfo } from '../torch/index.ts'
import { VERSION } from '../version.ts'

/** Versions and threads, then whatever else counts, such as the processor. */
export function pageFooter(...more: readonly string[]): string {
  const { version, threads } = engineInfo()
  const parts = [
    `Anneal ${VERSION}`,
    `LibTorch\u00a0${version}, ${threads === 1 ? 'one thread' : `${threads} threads`}`,
    `Node.js\u00a0${process.versions.node}`,
    ...more,
  ]
  return parts.join(' · ')
}
