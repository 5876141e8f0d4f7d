// A tokenizer's chat templates: mostly one, sometimes several by name, as a list in tokenizer_config.json or as files. With tools
// Transformers takes the one named `tool_use`, else `default`.

import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { TokenizerError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'

/** The templates of a tokenizer. */
export interface ChatTemplates {
  /** The one without a name, or named `default`. */
  chatTemplate?: string
  /** The others, by name. */
  namedTemplates?: Readonly<Record<string, string>>
}

const FOLDER = 'additional_chat_templates'
const MAX_TEMPLATES = 64

/** The templates of a directory; files win over what `config`, the parsed tokenizer_config.json, has. */
export function readChatTemplates(
  directory: string,
  config: Record<string, unknown>,
  readText: (path: string) => string | undefined,
): ChatTemplates {
  const found = new Map(templatesIn(config.chat_template))
  const folder = join(directory, FOLDER)
  if (existsSync(folder)) {
    const files = readdirSync(folder).filter((file) => file.endsWith('.jinja'))
    if (files.length > MAX_TEMPLATES) {
      throw new TokenizerError(
        `chat templates in ${folder}: expected at most ${MAX_TEMPLATES}, got ${files.length}. Remove those that are not used`,
      )
    }
    for (const file of files) {
      const text = readText(join(folder, file))
      if (text !== undefined) found.set(file.slice(0, -'.jinja'.length), text)
    }
  }
  const own = readText(join(directory, 'chat_template.jinja'))
  if (own !== undefined) found.set('default', own)
  const chatTemplate = found.get('default')
  found.delete('default')
  return {
    ...(chatTemplate !== undefined && { chatTemplate }),
    ...(found.size > 0 && { namedTemplates: Object.fromEntries(found) }),
  }
}

/** A template, or a list of `{name, template}`. */
function templatesIn(value: unknown): [string, string][] {
  if (typeof value === 'string') return [['default', value]]
  if (!Array.isArray(value)) return []
  return (value as ({ name?: unknown; template?: unknown } | null)[]).flatMap((entry) => {
    const { name, template } = entry ?? {}
    return typeof name === 'string' && typeof template === 'string' ? [[name, template] as [string, string]] : []
  })
}

/** The template for a chat with or without tools; undefined where there is none at all. */
export function chooseTemplate(
  { chatTemplate, namedTemplates = {} }: ChatTemplates,
  hasTools: boolean,
  file: string,
): string | undefined {
  const names = Object.keys(namedTemplates)
  if (hasTools && Object.hasOwn(namedTemplates, 'tool_use')) return namedTemplates.tool_use
  if (chatTemplate !== undefined || names.length === 0) return chatTemplate
  throw new TokenizerError(
    `chat templates in ${file}: expected one named default, got ${names.join(', ')}. Name the one that chats are to have default`,
  )
}

/** What tokenizer_config.json says of templates: the template itself, or the list of them. */
export function templatesForConfig({ chatTemplate, namedTemplates = {} }: ChatTemplates): { chat_template?: unknown } {
  const named = Object.entries(namedTemplates)
  if (named.length === 0) return chatTemplate === undefined ? {} : { chat_template: chatTemplate }
  const all = chatTemplate === undefined ? named : [['default', chatTemplate] as const, ...named]
  return { chat_template: all.map(([name, template]) => ({ name, template })) }
}

/** Writes the templates as files. */
export function writeChatTemplates(directory: string, { chatTemplate, namedTemplates = {} }: ChatTemplates): void {
  if (chatTemplate !== undefined) writeFileAtomic(join(directory, 'chat_template.jinja'), chatTemplate)
  // A name that is no file name stays in tokenizer_config.json alone.
  const named = Object.entries(namedTemplates).filter(([name]) => /^\w[\w.-]{0,99}$/.test(name))
  if (named.length === 0) return
  mkdirSync(join(directory, FOLDER), { recursive: true })
  for (const [name, template] of named) writeFileAtomic(join(directory, FOLDER, `${name}.jinja`), template)
}
