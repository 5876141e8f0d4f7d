// The command that goes on with a run that was stopped: as it was started, from its last checkpoint.

import type { Override } from '../config/overrides.ts'
import { shellWord } from '../shell-word.ts'

const RESUME = 'resume_from_checkpoint'

/** `anneal train CONFIG --key value … --resume_from_checkpoint auto`, ready for a shell. */
export function resumeCommand(positionals: readonly string[], overrides: readonly Override[]): string {
  const kept = overrides.filter(({ key }) => key !== RESUME)
  const words = kept.flatMap(({ flag, value }) => (typeof value === 'boolean' ? [flag] : [flag, value]))
  return ['anneal', 'train', ...positionals.map(shellWord), ...words.map(shellWord), `--${RESUME}`, 'auto'].join(' ')
}
