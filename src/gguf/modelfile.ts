// An Ollama Modelfile for a GGUF file beside it: where it is, how chats are put together, where answers end, how to sample.

import { goTemplate } from './go-template.ts'

export interface ModelfileParts {
  /** Name of the GGUF file in the same directory. */
  readonly file: string
  readonly chatTemplate?: string | undefined
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

/** The text of the Modelfile. */
export function modelfile(parts: ModelfileParts): string {
  const { file, chatTemplate, bosToken, eosToken, stops, contextLength } = parts
  const lines = [`# ollama create my-model -f ${file}.Modelfile`, `FROM ./${file}`]
  const template = chatTemplate === undefined ? '{{ .Prompt }}' : goTemplate(chatTemplate, bosToken, eosToken)
  if (template === undefined)
    lines.push('# The chat template has no simple counterpart here: Ollama reads the one in the GGUF file.')
  else if (!template.includes('"""')) lines.push(`TEMPLATE """${template}"""`)
  for (const stop of new Set(stops)) if (!/["\n]/.test(stop)) lines.push(`PARAMETER stop "${stop}"`)
  lines.push(`PARAMETER num_ctx ${Math.min(contextLength, MAX_DEFAULT_CONTEXT)}`)
  const sampling = { temperature: parts.temperature, top_p: parts.topP, top_k: parts.topK }
  for (const [name, value] of Object.entries(sampling))
    if (value !== undefined) lines.push(`PARAMETER ${name} ${value}`)
  return `${lines.join('\n')}\n`
}
