// The lines that a demo ends with. They work when pasted, whichever way Anneal was called.

import { existsSync, realpathSync } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import { shellWord } from '../shell-word.ts'
import { packageRoot } from '../torch/setup/directories.ts'
import type { DemoContext } from './stage.ts'

/** Commands for a shell in the current directory: continue a text, with the adapter too where there is one; chat; train for longer. */
export function nextCommands(
  { shown, settings, results }: Pick<DemoContext, 'shown' | 'settings' | 'results'>,
  prompt: string,
): string[] {
  const anneal = annealCommand()
  const text = settings.text.map((path) => ` --text ${shellWord(path)}`).join('')
  const generate = `${anneal} generate --model ${shellWord(shown.model)}`
  return [
    `${generate} --prompt ${shellWord(prompt)}`,
    ...(results.adapter === undefined
      ? []
      : [`${generate} --adapter ${shellWord(shown.adapter)} --prompt ${shellWord(results.adapter.prompt)}`]),
    `${anneal} chat --model ${shellWord(shown.model)}`,
    `${anneal} demo${text} --out ${shellWord(settings.out)} --minutes 15`,
  ]
}

/** How to call `anneal` from here: by its name where a shell finds this very program, else through Node.js. */
export function annealCommand(environment: NodeJS.ProcessEnv = process.env, directory: string = process.cwd()): string {
  const main = join(packageRoot, 'dist', 'cli', 'main.js')
  const leadsHere = (file: string): boolean =>
    existsSync(file) && existsSync(main) && realpathSync(file) === realpathSync(main)
  const places = (environment.PATH ?? '').split(delimiter)
  // npm and npx put node_modules/.bin in front of the PATH of what they start, and only of that.
  if (places.some((place) => !place.includes('node_modules') && leadsHere(join(place, 'anneal')))) return 'anneal'
  if (leadsHere(join(directory, 'node_modules', '.bin', 'anneal'))) return 'npx anneal'
  const path = relative(directory, main)
  return `node ${shellWord(path.startsWith('..') ? main : path)}`
}
