// An Ollama Modelfile for a GGUF file beside it: where it is, how chats are put together, where answers end, how to sample.

import { shellPath } from '../shell-word.ts'
import { goTemplate, writesTools } from './go-template.ts'

export interface ModelfileParts {
  /** Name of the GGUF file in the same directory. */
  readonly file: string
  readonly chatTemplate?: string | undefined
  /** The template for chats with tools, where that is another one. */
  readonly toolTemplate?: string | undefined
  readonly bosToken?: string | undefined
  readonly eosToken?: string | undefined
  /** Texts at which an answer ends. */
  readonly stops: readonly string[]
  readonly contextLength: number
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly topK?: number | undefined
}

/** Longer contexts cost memory for keys and values from the start; who wants one says so. */
const MAX_DEFAULT_CONTEXT = 8192

/** The text of the Modelfile, and what people should know of it. */
export function modelfile(parts: ModelfileParts): { text: string; notices: string[] } {
  const { file, chatTemplate, bosToken, eosToken, stops, contextLength } = parts
  const lines = [`# ollama create my-model -f ${shellPath(`${file}.Modelfile`)}`, `FROM ./${file}`]
  const template = chatTemplate === undefined ? '{{ .Prompt }}' : goTemplate(chatTemplate, bosToken, eosToken)
  if (template === undefined)
    lines.push('# The chat template has no simple counterpart here: Ollama reads the one in the GGUF file.')
  else if (!template.includes('"""')) lines.push(`TEMPLATE """${template}"""`)
  const toolTemplate = parts.toolTemplate ?? chatTemplate
  const losesTools =
    template !== undefined && toolTemplate !== undefined && writesTools(toolTemplate, bosToken, eosToken)
  if (losesTools) lines.push('# Without tools, which the chat template in the GGUF file writes.')
  for (const stop of new Set(stops)) if (!/["\n]/.test(stop)) lines.push(`PARAMETER stop "${stop}"`)
  lines.push(`PARAMETER num_ctx ${Math.min(contextLength, MAX_DEFAULT_CONTEXT)}`)
  const sampling = { temperature: parts.temperature, top_p: parts.topP, top_k: parts.topK }
  for (const [name, value] of Object.entries(sampling))
    if (value !== undefined) lines.push(`PARAMETER ${name} ${value}`)
  const notices = losesTools
    ? [
        'the chat template writes tools and the TEMPLATE of the Modelfile does not, so Ollama gives this model none: write one with .Tools ' +
          'there, or serve the file with llama-server --jinja, which reads the template in it',
      ]
    : []
  return { text: `${lines.join('\n')}\n`, notices }
}
