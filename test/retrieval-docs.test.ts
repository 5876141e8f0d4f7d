// The commands and programs of docs/retrieval.md, as they stand there.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const text = readFileSync(join(root, 'docs', 'retrieval.md'), 'utf8')
const blocks = (language: string) =>
  Array.from(text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g')), ([, block]) => block!)

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-retrieval-docs-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const paths = { 'anneal/*': [join(root, 'src', '*', 'index.ts')] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }))
  writeFileSync(join(folder, 'faq.jsonl'), '{"id":"1","text":"Reset your password in settings."}\n')
  writeFileSync(join(folder, 'new.jsonl'), '{"id":"2","text":"A password has ten signs."}\n')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (words: readonly string[]) =>
  promisify(execFile)(process.execPath, ['--import', 'tsx', ...words], { cwd: folder })

it('has commands that work', { timeout: 120_000 }, async () => {
  const [lines] = blocks('sh').map((block) => block.trim().split('\n'))
  expect(lines).toHaveLength(4)
  for (const line of lines!) {
    const words = Array.from(line.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain!)
    const { stdout } = await run([join(root, 'src', 'cli', 'main.ts'), ...words.slice(1)])
    expect(stdout).toMatch(/\S/)
  }
})

const OUTPUTS = ['cat { page: 1 }\n', "[ '2', '0', '1' ]\n", '{\n  recall: 0.75,']
it.each(blocks('ts').map((program, i) => [i, program] as const))(
  'has program %i',
  { timeout: 120_000 },
  async (i, program) => {
    const file = join(folder, `program-${i}.mts`)
    writeFileSync(file, program)
    expect((await run([file])).stdout).toContain(OUTPUTS[i])
  },
)
