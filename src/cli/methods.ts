// `anneal methods`: what Anneal implements, one line each, with the command or key that runs it and its source.

import type { MethodEntry } from '../methods/method.ts'
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'list the methods that Anneal implements',
  options: {},
  run: async ({ output }) => {
    const { allEntries } = await import('../methods/registry.ts')
    const entries = allEntries()
    const widest = (key: keyof MethodEntry): number => Math.max(...entries.map((method) => method[key].length))
    for (const method of entries) {
      output.emit(method)
      output.result(
        `${method.slug.padEnd(widest('slug'))}  ${method.summary.padEnd(widest('summary'))}  ` +
          `${method.use.padEnd(widest('use'))}  ${method.source}`,
      )
    }
  },
})
