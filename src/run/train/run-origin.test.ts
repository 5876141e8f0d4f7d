import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatManifest, MANIFEST } from '../../checkpoint/run-directory/manifest.ts'
import { UsageError } from '../../errors.ts'
import { continueOrigin, type RunOrigin } from './run-origin.ts'

const began: RunOrigin = {
  config: { stage: 'sft', finetuning: 'lora', model_name_or_path: 'models/base' },
  model: 'm1',
  tokenizer: 't1',
  data: 'd1',
  changes: [],
}

let checkpoint: string
beforeAll(() => {
  checkpoint = mkdtempSync(join(tmpdir(), 'anneal-origin-'))
  const meta = { versions: {}, threads: 1, seeds: {}, origin: began }
  writeFileSync(
    join(checkpoint, MANIFEST),
    formatManifest({ step: 4, created: '2026-01-01T00:00:00.000Z', files: [], meta }),
  )
})
afterAll(() => rmSync(checkpoint, { recursive: true }))

function goOn(now: Partial<RunOrigin>): RunOrigin {
  return continueOrigin({ ...began, ...now }, checkpoint, () => {})
}

describe('continueOrigin', () => {
  const other = { ...began.config, model_name_or_path: 'models/other' }

  it.each<[string, Partial<RunOrigin>, string]>([
    [
      'a model whose files changed',
      { model: 'm2' },
      ': expected the one that the run began with ("models/base"), got "models/base" with other contents. Restore it, or',
    ],
    [
      'another model',
      { model: 'm2', config: other },
      ': expected the one that the run began with ("models/base"), got "models/other". Restore it, or',
    ],
    [
      'a tokenizer whose files changed',
      { tokenizer: 't2' },
      ': expected the one that the run began with ("models/base"), got "models/base" with other contents. Restore it, or',
    ],
    [
      'both changed',
      { model: 'm2', tokenizer: 't2', config: { ...began.config, tokenizer_name_or_path: 'tok' } },
      ': expected those that the run began with ("models/base" and "models/base"), got "models/base" with other contents and "tok". Restore them, or',
    ],
  ])('refuses %s and says what it is now', (_, now, message) => {
    const what = [now.model && 'model', now.tokenizer && 'tokenizer'].filter(Boolean).join(' and ')
    expect(() => goOn(now)).toThrow(UsageError)
    expect(() => goOn(now)).toThrow(`resume_from_checkpoint: ${what} of ${checkpoint}${message}`)
  })

  it('goes on with the same things in other places', () => {
    expect(goOn({ config: other }).changes).toEqual([])
  })
})
