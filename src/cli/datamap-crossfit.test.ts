// `anneal datamap crossfit` is a run with training_dynamics: its keys are allowed without that one being written.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { command } from './datamap-crossfit.ts'

const root = mkdtempSync(join(tmpdir(), 'crossfit-'))
afterAll(() => rmSync(root, { recursive: true }))

it('takes the name of rows from a column', async () => {
  const file = join(root, 'classify.yaml')
  const keys = { stage: 'classify', model: 'tiny', tokenizer_name_or_path: root, dataset: join(root, 'none.csv') }
  writeFileSync(file, JSON.stringify({ ...keys, id_column: 'id', output_dir: join(root, 'run') }))
  // The data that is not there is what it stops at.
  const { err } = await runCommand(command, [file, '--folds', '2'])
  expect(err).not.toMatch(/id_column/)
  expect(err).toMatch(/none.csv|tokenizer/)
})
