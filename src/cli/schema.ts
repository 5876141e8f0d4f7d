// `anneal schema`: the JSON Schema of the training configuration, for editors (`# yaml-language-server: $schema=…`).

import { configJsonSchema } from '../config/schema.ts'
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'print the JSON Schema of the training configuration',
  examples: ['schema > anneal.schema.json'],
  options: {},
  run: async ({ output }) => {
    // The result is JSON with or without `--json`; with it, on one line like every other command's.
    if (output.isJson) output.emit(configJsonSchema())
    else output.result(JSON.stringify(configJsonSchema(), null, 2))
  },
})
