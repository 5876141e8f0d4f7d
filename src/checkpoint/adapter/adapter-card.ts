// The README of one sentence that every adapter is written with, for PEFT and the hub; and how it is told from what a person has written.
import { cardParts } from '../../hub/metadata-block.ts'
import type { AdapterFile } from './adapter-config.ts'

/** The text of README.md. */
export function adapterCard(config: AdapterFile, notices: readonly string[]): string {
  const base = config.base_model_name_or_path
  const what = config.peft_type === 'LORA' ? (config.use_dora ? 'A DoRA adapter' : 'A LoRA adapter') : 'A soft prompt'
  return [
    '---',
    ...(base === null ? [] : [`base_model: ${JSON.stringify(base)}`]),
    'library_name: peft',
    'pipeline_tag: text-generation',
    '---',
    '',
    `${what}${base === null ? '' : ` for \`${base}\``}, trained with Anneal, in the format of PEFT.`,
    ...(notices.length === 0 ? [] : ['', ...notices.map((notice) => `- ${notice}`)]),
    '',
  ].join('\n')
}

/** The notices in a card that {@link adapterCard} wrote and nobody has added prose to; undefined for any other text. */
export function adapterCardNotices(card: string): string[] | undefined {
  const [first = '', ...notices] = bodyOf(card)
    .split('\n')
    .filter((line) => line.trim() !== '')
  const isOurs =
    /^(?:A LoRA adapter|A DoRA adapter|A soft prompt)(?: for `.*`)?, trained with Anneal, in the format of PEFT\.$/
  return isOurs.test(first) && notices.every((line) => line.startsWith('- ')) ? notices : undefined
}

function bodyOf(card: string): string {
  return (cardParts(card)?.rest.replace(/^---[^\n]*\n?/, '') ?? card).replaceAll('\r\n', '\n')
}
