// The command line as a process: what only a real one shows — exit codes, closed pipes, the cursor after a signal,
// and what `--help` loads.

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const progress = new URL('../../src/cli/progress.ts', import.meta.url).href
const output = new URL('../../src/cli/output.ts', import.meta.url).href

function start(...args: string[]) {
  return spawn(process.execPath, ['--import', 'tsx', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

async function finished(child: ReturnType<typeof start>) {
  let [out, err] = ['', '']
  child.stdout.on('data', (data) => (out += data))
  child.stderr.on('data', (data) => (err += data))
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on('close', (...end) => resolve(end)),
  )
  return { code, signal, out, err }
}

/** The packages that a file imports when it is loaded, through the files that it imports. */
function staticImports(file: string, packages = new Set<string>(), seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return packages
  seen.add(file)
  for (const [, name] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type\b).*?from '([^']+)'/gms)) {
    if (name!.startsWith('.')) staticImports(resolve(dirname(file), name!), packages, seen)
    else packages.add(name!)
  }
  return packages
}

describe('anneal as a process', () => {
  it('exits with 2 and one line for a wrong command', async () => {
    const result = await finished(start(main, 'schmea'))
    expect(result).toEqual({
      code: 2,
      signal: null,
      out: '',
      err: "error: unknown command 'schmea'. Did you mean 'schema'?\n",
    })
  })

  it('loads no library for --help', () => {
    expect([...staticImports(main)].filter((name) => !name.startsWith('node:'))).toEqual([])
  })

  it('ends quietly when the reader of its output goes away', async () => {
    const child = start(main, 'schema')
    child.stdout.destroy()
    const { err } = await finished(child)
    expect(err).toBe('')
  })

  it.runIf(existsSync('/dev/full'))(
    'ends in one line where its output is full, and not at all where only its messages are',
    async () => {
      const shell = (redirection: string): ReturnType<typeof finished> =>
        finished(
          spawn('bash', ['-c', `"$@" ${redirection}`, 'bash', process.execPath, '--import', 'tsx', main, 'schema'], {
            stdio: ['ignore', 'pipe', 'pipe'],
          }),
        )
      expect(await shell('> /dev/full')).toMatchObject({
        code: 6,
        err: 'error: cannot write standard output: expected free space, got a full disk (ENOSPC). Free some space\n',
      })
      expect(await shell('2> /dev/full')).toMatchObject({ code: 0 })
    },
  )

  it('shows the cursor again when a signal ends it', async () => {
    const script = `
      import { startProgress } from ${JSON.stringify(progress)}
      import { createOutput } from ${JSON.stringify(output)}
      startProgress(createOutput(false), { label: 'x', unit: 'docs', mode: 'bar' })
      setInterval(() => {}, 1000)`
    const child = start('--input-type=module', '-e', script)
    child.stderr.once('data', () => child.kill('SIGTERM'))
    const { signal, err } = await finished(child)
    expect(signal).toBe('SIGTERM')
    expect(err).toBe('\u001b[?25l\u001b[?25h')
  })
})
