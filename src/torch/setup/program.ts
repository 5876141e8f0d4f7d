// Runs another program and collects what it says. No shell in between: arguments are passed as they are.

import { spawn } from 'node:child_process'

export interface ProgramOptions {
  environment?: NodeJS.ProcessEnv
  /** The program is killed after this long. Default: never. */
  timeoutSeconds?: number
  /** Sends its standard output to ours for people (standard error), such as a progress bar. */
  isShown?: boolean
}

export interface ProgramResult {
  isFound: boolean
  /** True when it ended by itself with status 0. */
  isOk: boolean
  stdout: string
  stderr: string
  /** How it ended, in words: `status 1`, `signal SIGSEGV`, `no answer in 60 s`, `not found`. */
  ending: string
}

// A program that prints without end must not fill our memory; what helps is at the end (pip) or the start (compilers).
const MAX_CHARACTERS = 4_000_000

/** Runs `command` to its end. Never throws: a missing program is a result, too. */
export function runProgram(
  command: string,
  values: readonly string[],
  { environment = process.env, timeoutSeconds, isShown = false }: ProgramOptions = {},
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = spawn(command, values, { env: environment, stdio: ['ignore', isShown ? 2 : 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    let isLate = false
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < MAX_CHARACTERS) stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MAX_CHARACTERS) stderr += text
    })
    const onLate = (): void => {
      isLate = true
      child.kill('SIGKILL')
    }
    const timer = timeoutSeconds === undefined ? undefined : setTimeout(onLate, timeoutSeconds * 1000)
    child.on('error', (error) => {
      clearTimeout(timer)
      resolve({ isFound: false, isOk: false, stdout, stderr: error.message, ending: 'not found' })
    })
    child.on('close', (status, signal) => {
      clearTimeout(timer)
      const late = `no answer in ${timeoutSeconds} s`
      const ending = isLate ? late : signal === null ? `status ${status}` : `signal ${signal}`
      resolve({ isFound: true, isOk: status === 0 && !isLate, stdout, stderr, ending })
    })
  })
}

/** The last line of a program's complaint that says something, else how it ended. */
export function lastComplaint({ stderr, ending }: ProgramResult): string {
  return stderr.trim().split('\n').at(-1)?.trim() || ending
}
