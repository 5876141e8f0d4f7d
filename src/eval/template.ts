// A task's templates: Jinja as lm-evaluation-harness sets it up. White space stays where it is, and what is missing is an error.

import { InputError } from '../errors.ts'
import { toValue } from '../text/jinja/convert.ts'
import { TemplateError } from '../text/jinja/errors.ts'
import { Template } from '../text/jinja/template.ts'
import { Dict, type Value } from '../text/jinja/values.ts'
import type { Doc } from './task-config.ts'

const templates = new Map<string, Template>()
const variables = new WeakMap<Doc, ReadonlyMap<string, Value>>()

/** A template with the fields of a document. `where` begins the message of the InputError: task, document and key. */
export function renderField(source: string, doc: Doc, where: string): string {
  if (!source.includes('{')) return source
  try {
    let template = templates.get(source)
    if (template === undefined) {
      template = new Template(source, {
        trimBlocks: false,
        lstripBlocks: false,
        keepTrailingNewline: true,
        isStrict: true,
      })
      templates.set(source, template)
    }
    return template.render(variablesOf(doc))
  } catch (cause) {
    if (!(cause instanceof TemplateError)) throw cause
    const missing = /^'([^']+)' is undefined$/.exec(cause.message)?.[1]
    if (missing === undefined) throw new InputError(`${where}: template failed: ${cause.message}`, { cause })
    throw new InputError(
      `${where}: expected a field '${missing}', which the template names, got fields ${Object.keys(doc).join(', ') || 'none'}. Correct the template or the data`,
      { cause },
    )
  }
}

function variablesOf(doc: Doc): ReadonlyMap<string, Value> {
  const known = variables.get(doc)
  if (known !== undefined) return known
  const dict = toValue(doc)
  const made = new Map<string, Value>()
  if (dict instanceof Dict) for (const [name, value] of dict.entries()) made.set(String(name), value)
  variables.set(doc, made)
  return made
}
