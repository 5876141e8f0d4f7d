// Runs one command line after the other in one process: a JSON list of words a line in, how it ended a line out. The test that starts it
// can end it, which a test that blocks in its own process could not.
import { createInterface } from 'node:readline'
import { main } from '../../src/cli/main.ts'

for await (const line of createInterface({ input: process.stdin })) {
  let err = ''
  const streams = { stdout: { write: () => {} }, stderr: { write: (text: string) => (err += text) } }
  const code = await main(JSON.parse(line) as string[], streams)
  process.stdout.write(`${JSON.stringify({ code, err })}\n`)
}
process.exit(0)
