// What the types of prompting cost the compiler: generics that depend on the output alone keep it small. Counts are the same each time.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Measured with TypeScript 6.0.3 and zod 4.6: 2,823. */
const BUDGET = 6000

it('nine programs are checked within a budget of instantiations', { timeout: 300_000 }, () => {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile) as { config: object }
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const { tsBuildInfoFile: _, incremental: __, ...rest } = options
  const file = join(root, 'test/fixtures/prompting-sketches.ts')
  const program = ts.createProgram([file], rest)
  const source = program.getSourceFile(file)!
  const faults = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  expect(faults.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
  const count = program.getInstantiationCount()
  expect(count).toBeGreaterThan(1000)
  expect(count).toBeLessThan(BUDGET)
})
