// `anneal setup`: finds or fetches LibTorch, builds the add-on, and says what the engine is. Quick when all is there.

import { PLACES, type Place } from '../torch/setup/locate.ts'
import { prepareEngine } from '../torch/setup/prepare.ts'
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'find or fetch LibTorch and build the engine',
  options: {},
  examples: ['setup', 'doctor'],
  run: async ({ output }) => {
    const { record, isNew } = await prepareEngine(output.note)
    const { version, libtorch, how } = record
    output.note(
      `engine ${isNew ? 'is ready' : 'was ready'}: LibTorch ${version} from ${PLACES[how as Place]} (${libtorch})`,
    )
    output.emit({ ...record, isNew })
  },
})
