import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { adapterCard } from '../../checkpoint/adapter/adapter-card.ts'
import type { AdapterFile } from '../../checkpoint/adapter/adapter-config.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { writeClassifierCard } from '../train/classifier-card.ts'
import { cardToPush } from './card-to-push.ts'
import type { PushFacts } from './describe-push.ts'

const facts: PushFacts = {
  kind: 'adapter',
  type: 'model',
  what: 'An adapter for `org/base`.',
  metadata: { base_model: 'org/base', tags: ['anneal'] },
  lineage: [],
  usage: [],
  notices: [],
}
const push = (own?: string, there?: string, licence?: string): ReturnType<typeof cardToPush> =>
  cardToPush(facts, { repo: 'org/new', own, there, licence })

describe('the card that goes', () => {
  it('is made where the folder has only what training wrote, with what was added to it', () => {
    const config = { peft_type: 'LORA', base_model_name_or_path: '/home/me/base' } as AdapterFile
    const own = adapterCard(config, ['rank 8 is small'])
    expect(push(own).card).toBe(
      '---\nbase_model: org/base\ntags:\n  - anneal\n---\n\n# new\n\nAn adapter for `org/base`.\n\n- rank 8 is small\n',
    )
    expect(push(own.replace('---\n', '---\nlicense: mit\n')).card).toContain('license: mit\n')
    expect(push(own, '---\nlicense: mit\n---\nTheirs.\n').card).toMatch(/^---\nlicense: mit\nbase_model.*Theirs\.\n$/s)
    expect(push(undefined, own).card).toContain('# new')
    expect(push(`${own}\nMore words.\n`).card).toContain('A LoRA adapter for')
  })
  it('names the repository where training named the folder', () => {
    const folder = mkdtempSync(join(tmpdir(), 'anneal-card-'))
    try {
      const config = { model_name_or_path: '/home/me/base', finetuning: 'full' } as TrainConfig
      writeClassifierCard(folder, config, { labels: ['a', 'b'], evaluation: { eval_accuracy: 0.5 }, step: 3 })
      const own = readFileSync(join(folder, 'README.md'), 'utf8')
      const { card } = push(own)
      expect(card).toContain('# new\n')
      expect(card).toContain('anneal classify --model org/new --text')
      expect(card).toContain('pipeline("text-classification", "org/new")')
      expect(card).toContain('| accuracy |')
      expect(card).toContain('base_model: org/base')
      expect(push(own, 'Theirs.\n').card).toMatch(/---\n\nTheirs\.\n$/)
      expect(push(`${own}More.\n`).card).toContain(`--model ${folder.split('/').at(-1)}`)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
  it('keeps names of base models, and says which paths go', () => {
    expect(push('---\nbase_model: gpt2 # old\n---\n').card).toContain('base_model: gpt2 # old\n')
    const { card, notices } = push('---\nbase_model: [/home/me/x, org/y]\n---\n')
    expect(card).toContain('base_model: [org/y]\n')
    expect(notices).toContain('README.md goes without base_model /home/me/x, a path of this machine')
  })
  it('has its metadata before prose between two rules', () => {
    expect(push('# A\n---\nwords\n---\n').card).toMatch(/^---\nbase_model[\s\S]*---\n\n# A\n---\nwords\n---\n$/)
    expect(push('---\nwords\n---\n').card).toMatch(/^---\nbase_model[\s\S]*---\n\n---\nwords\n---\n$/)
  })
  it('stays on the hub to the byte where it lacks nothing', () => {
    const there = '---\r\nbase_model: org/old\r\ntags: []\r\nlicense: mit\r\n---\r\nTheirs.'
    expect(push(undefined, there)).toEqual({
      card: undefined,
      notices: ['README.md on the hub stays as it is; write one beside the files to have it replaced'],
    })
  })
})
