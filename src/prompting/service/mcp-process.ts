// A server of the Model Context Protocol as a process of its own: lines of JSON by its pipes. It is started in a group of its own, so that
// what a wrapper such as npx started ends with it, and what it says besides is kept for errors.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client'
import { UsageError } from '../../errors.ts'

/** How it is started. */
export interface McpCommand {
  command: string
  args?: readonly string[]
  /** Besides the few variables that every program needs; keys and tokens of this process are not handed on. */
  env?: Readonly<Record<string, string>>
  /** Default: that of this process. */
  cwd?: string
}

/** What every program needs. */
const INHERITED = ['HOME', 'LANG', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'TMPDIR', 'USER', 'SYSTEMROOT', 'TEMP', 'USERPROFILE', 'APPDATA', 'LOCALAPPDATA'] // biome-ignore format: a list
/** Characters of one message; more ends the server. */
const LONGEST = 32 * 2 ** 20
/** Characters of its last words that are kept. */
const LAST_WORDS = 400
/** Milliseconds between its pipe being closed, being asked to end, and being ended. */
const PATIENCE = 500

/** The transport that the official client is given. */
export class McpProcess implements Transport {
  onclose?: Transport['onclose']
  onerror?: Transport['onerror']
  onmessage?: Transport['onmessage']
  /** Lines that were no message. */
  strayLines = 0
  #firstStray = ''
  #words = ''
  #why = ''
  #child: ChildProcess | undefined
  #isClosed = false
  readonly #how: McpCommand

  constructor(how: McpCommand) {
    this.#how = how
  }

  /** Undefined before it was started. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** How it ended and what it said last, for a message; '' for one that lives and is silent. */
  get lastWords(): string {
    const said = this.#words.trim().split('\n').slice(-3).join(' | ')
    const stray =
      this.strayLines === 0
        ? ''
        : `${this.strayLines} lines on standard output that are no messages, such as ${JSON.stringify(this.#firstStray)}`
    return [this.#why, said === '' ? '' : `it said: ${said}`, stray].filter((one) => one !== '').join('; ')
  }

  async start(): Promise<void> {
    const { command, args = [], env = {}, cwd } = this.#how
    const inherited = Object.fromEntries(
      INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    )
    const child = spawn(command, [...args], {
      env: { ...inherited, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
      ...(cwd !== undefined && { cwd }),
    })
    this.#child = child
    // Pieces of a line that has not ended: joined once, for servers send megabytes in one.
    let rest: string[] = []
    let length = 0
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = chunk.split('\n')
      const last = lines.pop() ?? ''
      for (const line of lines) {
        this.#take(rest.join('') + line)
        rest = []
        length = 0
      }
      rest.push(last)
      length += last.length
      if (length <= LONGEST) return
      this.#why = `it sent a message of more than ${LONGEST >> 20} MiB`
      rest = []
      length = 0
      child.stdout.destroy()
      void this.close()
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#words = (this.#words + chunk).slice(-LAST_WORDS)
    })
    child.stdin.on('error', () => undefined) // of one that has ended: `close` tells it
    child.once('exit', (code, signal) => {
      this.#why ||= signal === null ? `it ended with ${code}` : `it was ended by ${signal}`
    })
    child.once('close', () => this.#over())
    process.on('exit', this.#end)
    try {
      await once(child, 'spawn')
    } catch (cause) {
      this.#over()
      throw new UsageError(
        `mcp: expected a program that can be started, got ${JSON.stringify(command)} (${(cause as NodeJS.ErrnoException).code})`,
        { cause },
      )
    }
    child.on('error', (error) => this.onerror?.(error))
  }

  #take(line: string): void {
    if (line.trim() === '') return
    let message: unknown
    try {
      message = JSON.parse(line)
    } catch {}
    // Programs print what they should not; the protocol goes on around it.
    if (typeof message === 'object' && message !== null && 'jsonrpc' in message)
      this.onmessage?.(message as JSONRPCMessage)
    else if (this.strayLines++ === 0) this.#firstStray = line.slice(0, 80)
  }

  send(message: JSONRPCMessage): Promise<void> {
    const { stdin } = this.#child ?? {}
    if (this.#isClosed || stdin == null) return Promise.reject(new Error('the server has ended'))
    return new Promise((resolve, reject) => {
      stdin.write(`${JSON.stringify(message)}\n`, (error) => (error == null ? resolve() : reject(error)))
    })
  }

  /** Closes its pipe, asks it to end, ends it, each after a moment; with all that it started. Resolves when it is gone. */
  async close(): Promise<void> {
    const child = this.#child
    if (child === undefined || this.#isClosed) return
    const gone =
      child.exitCode !== null || child.signalCode !== null
        ? Promise.resolve()
        : once(child, 'exit').then(() => undefined)
    child.stdin?.end()
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (await within(gone, PATIENCE)) break
      this.#signal(signal)
    }
    await gone
    // What it started and left behind has the same group.
    this.#signal('SIGKILL')
    child.stdout?.destroy()
    child.stderr?.destroy()
    this.#over()
  }

  readonly #end = (): void => this.#signal('SIGKILL')

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child ?? {}
    if (pid === undefined) return
    try {
      if (process.platform === 'win32') this.#child?.kill(signal)
      else process.kill(-pid, signal)
    } catch {} // it is gone
  }

  #over(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    process.off('exit', this.#end)
    this.onclose?.()
  }
}

async function within(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds)
  })
  return Promise.race([promise.then(() => true), patience]).finally(() => clearTimeout(timer))
}
