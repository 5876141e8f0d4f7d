// Two test processes share two cores: one LibTorch thread each, which also fixes the order of sums. Properties draw the same cases
// on every run, so that a red run is about the change at hand; `ANNEAL_LONG=1` draws new ones, many more of them.
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import './matchers.ts'

process.env.ANNEAL_THREADS ??= '1'
// No test asks a hub but one of its own, or finds what this machine has downloaded.
process.env.HF_HUB_OFFLINE = '1'
process.env.HF_HOME = join(tmpdir(), 'anneal-no-hub')

const { testPath } = expect.getState()
const usesProperties = testPath !== undefined && /from 'fast-check'/.test(readFileSync(testPath, 'utf8'))
if (usesProperties && process.env.ANNEAL_LONG !== '1') (await import('fast-check')).configureGlobal({ seed: 1 })

// Whether a shell wants colours decides no test: those that are about them pass an environment of their own.
delete process.env.NO_COLOR
delete process.env.FORCE_COLOR
