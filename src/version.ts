// The version of this package, read once from its package.json: it lies at the same place relative to src, dist and an installed package.
import { readFileSync } from 'node:fs'

export const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
