import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { resumeCommand } from './resume-command.ts'

it('is the command line of the run, with the checkpoint to go on from, as a shell reads it', () => {
  const command = resumeCommand(
    ["gut ö/it's.yaml"],
    [
      { key: 'learning_rate', value: '1e-3', flag: '--learning_rate' },
      { key: 'bf16', value: true, flag: '--bf16' },
      { key: 'packing', value: false, flag: '--no-packing' },
      { key: 'resume_from_checkpoint', value: 'runs/a/checkpoint-3', flag: '--resume_from_checkpoint' },
    ],
  )
  const words = execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' })
  const given = ['--learning_rate', '1e-3', '--bf16', '--no-packing', '--resume_from_checkpoint', 'auto']
  expect(words.trimEnd().split('\n')).toEqual(['anneal', 'train', "gut ö/it's.yaml", ...given])
})
