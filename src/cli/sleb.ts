// `anneal sleb --model DIR --data PATH… --remove N --out DIR`: a model with fewer blocks, chosen by what they cost on a text.

import { SLEB_OPTIONS } from '../run/sleb/sleb-options.ts'
import { type Command, defineCommand } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

const { device, dtype, threads } = MODEL_OPTIONS

export const command: Command = defineCommand({
  summary: 'remove the blocks that a model can do without',
  options: { ...SLEB_OPTIONS, device, dtype, threads },
  examples: [
    'sleb --model models/base --data calibration.txt --remove 2 --out models/smaller',
    'sleb --model models/base --data corpus/ --ratio 0.2 --refine swap --out models/smaller',
  ],
  run: async ({ options, output }) => {
    const { runSleb } = await import('../run/sleb/run-sleb.ts')
    await runSleb(options, output)
  },
})
