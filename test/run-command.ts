// Runs a command of the CLI inside the test's process: words in, what it wrote and its exit code out.

import { parseArguments } from '../src/cli/arguments.ts'
import type { Command } from '../src/cli/command.ts'
import { createOutput, type TextStream } from '../src/cli/output.ts'
import { describeError, exitCodeOf } from '../src/errors.ts'

/** A stream that keeps what is written to it. */
export function textSink(isTTY = false): TextStream & { text: string } {
  return {
    text: '',
    isTTY,
    write(text) {
      this.text += text
    },
  }
}

/** As `main` does it once it has found the command. */
export async function runCommand(
  command: Command,
  words: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [textSink(), textSink()]
  let code: number
  try {
    const { json, help: _, ...invocation } = parseArguments(command, words)
    code = (await command.run({ ...invocation, output: createOutput(json, stdout, stderr) })) ?? 0
  } catch (error) {
    stderr.write(`${describeError(error)}\n`)
    code = exitCodeOf(error)
  }
  return { code, out: stdout.text, err: stderr.text }
}
