import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { addLora } from './lora/lora.ts'
import type { PruneReport } from './prune/prune.ts'
import type { FormatsReport } from './quantize/quantize.ts'
import { allEntries, METHODS } from './registry.ts'
import type { SlebReport } from './sleb/result.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const src = join(here, '..')
const folders = readdirSync(here, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))

/** What puts methods together: a run, a model with its adapter, the pipeline of several, the demo. Which of them each file knows. */
const WIRING: Readonly<Record<string, readonly string[]>> = {
  'demo/finetune-report.ts': ['dropbp'],
  'demo/finetune-stage.ts': ['dropbp', 'lora'],
  'run/edit/edit-model.ts': ['lora'],
  'run/export/export-model.ts': ['lora'],
  'run/gate/run-gate.ts': ['ei-arag'],
  'run/gate/sweep-gates.ts': ['ei-arag'],
  'run/load-lm.ts': ['lora'],
  'run/load-model.ts': ['lora', 'prompt-tuning'],
  'run/qpruner/config.ts': ['prune', 'quantize'],
  'run/qpruner/prepare.ts': ['prune'],
  'run/qpruner/qpruner-report.ts': ['quantize'],
  'run/qpruner/stages.ts': ['lora', 'prune', 'quantize'],
  'run/quantize/allocation-names.ts': ['qpruner'],
  'run/quantize/allocation.ts': ['qpruner'],
  'run/sande/stages.ts': ['lora'],
  'run/train/dpo-data.ts': ['dpo'],
  'run/train/dpo-reference.ts': ['dpo'],
  'run/train/dpo-watch.ts': ['dpo'],
  'run/train/headed-tuning.ts': ['lora'],
  'run/train/lora-tuning.ts': ['dpo', 'lora'],
  'run/train/make-finetuning.ts': ['freeze'],
  'run/train/rules-of.ts': ['dropbp'],
  'run/train/soft-prompt-tuning.ts': ['prompt-tuning'],
}

describe('a report', () => {
  it('has figures of known names only: a mistyped one is no unknown', () => {
    type Reports = keyof PruneReport | keyof FormatsReport | keyof SlebReport
    expectTypeOf<string extends Reports ? 'any' : 'known'>().toEqualTypeOf<'known'>()
    expectTypeOf<ReturnType<typeof addLora>['report']>().toEqualTypeOf<{
      modules: number
      trainable_parameters: number
    }>()
  })
})

describe('the registry', () => {
  it('has every folder once, under its own name', () => {
    expect(METHODS.map(({ slug }) => slug).sort()).toEqual(folders.sort())
    const slugs = allEntries().map(({ slug }) => slug)
    expect(new Set(slugs).size).toBe(slugs.length)
  })

  it.each(folders)('%s has its code, a card that bears its name, and tests', (slug) => {
    expect(existsSync(join(here, slug, `${slug}.ts`))).toBe(true)
    expect(readFileSync(join(here, slug, 'card.md'), 'utf8')).toContain(`\`${slug}\``)
    expect(readdirSync(join(here, slug)).some((name) => name.endsWith('.test.ts'))).toBe(true)
  })

  it('is where methods are known: nothing but the wiring that these lists name imports one', () => {
    const isOwn = (file: string, slug: string): boolean =>
      file.startsWith(`methods/${slug}/`) || file.startsWith(`run/${slug}/`) || file === `cli/${slug}.ts`
    const isList = (file: string): boolean =>
      file === 'methods/registry.ts' || file === 'methods/keys.ts' || /(?:^|\/)index\.ts$/.test(file)
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    const ties = files.flatMap((file) =>
      [...readFileSync(join(src, file), 'utf8').matchAll(/from '\.[^']*methods\/([\w-]+)\/[^']+'/g)]
        .filter(([, slug]) => !isOwn(file, slug!) && !isList(file))
        .map(([, slug]) => `${file} knows ${slug}`),
    )
    const wanted = Object.entries(WIRING).flatMap(([file, slugs]) => slugs.map((slug) => `${file} knows ${slug}`))
    expect([...new Set(ties)].sort()).toEqual(wanted.sort())
  })
})
