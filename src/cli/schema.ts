// `anneal schema [train|qpruner|curate|synth]`: the JSON Schema of a configuration, for editors (`# yaml-language-server: $schema=…`).

import { jsonSchemaOf } from '../config/kind.ts'
import { trainKind } from '../config/train-kind.ts'
import { UsageError } from '../errors.ts'
import { didYouMean } from '../nearest.ts'
import { curateKind } from '../run/curate/config.ts'
import { qprunerKind } from '../run/qpruner/config.ts'
import { synthKind } from '../run/synth/config.ts'
import { type Command, defineCommand } from './command.ts'

const KINDS = { train: trainKind, qpruner: qprunerKind, curate: curateKind, synth: synthKind }

export const command: Command = defineCommand({
  summary: 'print the JSON Schema of a configuration',
  positionals: {
    name: 'COMMAND',
    summary: 'whose configuration: train, qpruner, curate or synth; without one train',
    min: 0,
    max: 1,
  },
  examples: ['schema > anneal.schema.json', 'schema qpruner'],
  options: {},
  run: async ({ positionals: [name = 'train'], output }) => {
    if (!Object.hasOwn(KINDS, name)) {
      const names = Object.keys(KINDS)
      throw new UsageError(
        `anneal schema: expected ${names.slice(0, -1).join(', ')} or ${names.at(-1)}, got '${name}'.${didYouMean(name, names)}`.replace(
          /\.$/,
          '',
        ),
      )
    }
    const schema = jsonSchemaOf(KINDS[name as keyof typeof KINDS])
    // The result is JSON with or without `--json`; with it, on one line like every other command's.
    if (output.isJson) output.emit(schema)
    else output.result(JSON.stringify(schema, null, 2))
  },
})
