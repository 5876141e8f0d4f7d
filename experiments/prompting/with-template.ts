// A model without a chat template, made able to chat.
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const LINES = "{%- for message in messages %}{{ message.content + '\\n' }}{%- endfor %}"

/** The model's folder, or one beside it with a chat template. */
export function withTemplate(directory: string): { path: string; remove: () => void } {
  if (existsSync(join(directory, 'chat_template.jinja'))) return { path: directory, remove: () => undefined }
  const path = mkdtempSync(join(tmpdir(), 'valid-json-'))
  for (const name of readdirSync(directory)) symlinkSync(resolve(directory, name), join(path, name))
  writeFileSync(join(path, 'chat_template.jinja'), LINES)
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
