// Two test processes share two cores: one LibTorch thread each, which also fixes the order of sums. Properties draw the same cases
// on every run, so that a red run is about the change at hand; `ANNEAL_LONG=1` draws new ones, many more of them.
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import './matchers.ts'

process.env.ANNEAL_THREADS ??= '1'

const { testPath } = expect.getState()
const usesProperties = testPath !== undefined && /from 'fast-check'/.test(readFileSync(testPath, 'utf8'))
if (usesProperties && process.env.ANNEAL_LONG !== '1') (await import('fast-check')).configureGlobal({ seed: 1 })
