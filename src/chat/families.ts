// How families of models write calls of tools, as data: one reader (answer-parser.ts) and one writer of structures (answer-structure.ts)
// serve them all. A family is told by what its chat template says; the formats are those of the templates and model cards.

/** How calls stand in an answer. */
export interface ToolFamily {
  readonly name:
    | 'hermes'
    | 'llama'
    | 'mistral-list'
    | 'mistral'
    | 'granite'
    | 'phi'
    | 'nemotron'
    | 'qwen-xml'
    | 'gemma'
    | 'function-gemma'
    | 'generic'
  /** Whether the template itself tells the model of the tools, and writes calls and their answers. */
  readonly isRendered: boolean
  /** All of these texts are in a template of the family, and none of those. */
  readonly has: readonly string[]
  readonly lacks: readonly string[]
  /** What opens a call, or a list of them. */
  readonly open: string
  /** What may stand behind it, before the calls: a pattern. */
  readonly gap: string
  /** Behind the calls; '' where nothing is. */
  readonly close: string
  /** `object`: one JSON object; `list`: a list of them; `named`: the name between two marks, and the arguments. */
  readonly form: 'object' | 'list' | 'named'
  /** With `named`: the marks, the second of which may be ''. */
  readonly nameMarks?: readonly [before: string, behind: string]
  /** How arguments are written: as JSON, as XML of JSON values and texts, or as JSON with bare names and this around texts. */
  readonly notation: 'json' | 'xml' | { readonly quote: string }
  /** What the object calls the arguments when it is written; it is read under either name. */
  readonly key: 'arguments' | 'parameters'
  /** Calls may stand at the beginning of an answer without `open`; several are read with this between them, one is written. */
  readonly bare?: string
  /** Its template refuses a message with several calls. */
  readonly isSingle?: boolean
  /** What the ids of calls look like. */
  readonly id: { readonly prefix: string; readonly length: number }
}

const OPENAI_ID = { prefix: 'call_', length: 24 }
/** Mistral's templates refuse others. */
const MISTRAL_ID = { prefix: '', length: 9 }

const COMMON = {
  isRendered: true,
  lacks: [],
  gap: '',
  close: '',
  form: 'object',
  notation: 'json',
  key: 'arguments',
  id: OPENAI_ID,
} as const

/** The format for templates that know of no tools, or know them in a way that is not known here. */
export const GENERIC: ToolFamily = {
  ...COMMON,
  name: 'generic',
  isRendered: false,
  has: [],
  open: '<tool_call>',
  gap: '\\n?',
  close: '</tool_call>',
}

/** In the order in which they are looked for. */
const FAMILIES: readonly ToolFamily[] = [
  {
    ...COMMON,
    name: 'mistral',
    has: ['[TOOL_CALLS]', '[ARGS]'],
    open: '[TOOL_CALLS]',
    form: 'named',
    nameMarks: ['', '[ARGS]'],
    id: MISTRAL_ID,
  },
  {
    ...COMMON,
    name: 'mistral-list',
    has: ['[TOOL_CALLS]'],
    open: '[TOOL_CALLS]',
    gap: ' ?',
    form: 'list',
    id: MISTRAL_ID,
  },
  {
    ...COMMON,
    name: 'llama',
    has: ['ipython', '"parameters": '],
    open: '<|python_tag|>',
    key: 'parameters',
    bare: ';',
    isSingle: true,
  },
  {
    ...GENERIC,
    name: 'hermes',
    isRendered: true,
    has: ['<tool_call>', 'tools'],
    // GLM writes XML of its own within these marks.
    lacks: ['<arg_key>', '<function='],
  },
  {
    ...GENERIC,
    name: 'qwen-xml',
    isRendered: true,
    has: ['<tool_call>', '<function=', '<parameter='],
    gap: '\\n',
    form: 'named',
    nameMarks: ['<function=', '>'],
    notation: 'xml',
  },
  {
    ...COMMON,
    name: 'gemma',
    has: ['<|tool_call>call:', '<|"|>'],
    open: '<|tool_call>',
    close: '<tool_call|>',
    form: 'named',
    nameMarks: ['call:', ''],
    notation: { quote: '<|"|>' },
  },
  {
    ...COMMON,
    name: 'function-gemma',
    has: ['<start_function_call>call:', '<escape>'],
    open: '<start_function_call>',
    close: '<end_function_call>',
    form: 'named',
    nameMarks: ['call:', ''],
    notation: { quote: '<escape>' },
  },
  {
    ...COMMON,
    name: 'phi',
    has: ['<|tool_call|>', '<|/tool_call|>'],
    open: '<|tool_call|>',
    close: '<|/tool_call|>',
    form: 'list',
  },
  { ...COMMON, name: 'granite', has: ['<|tool_call|>'], open: '<|tool_call|>', gap: ' ?', form: 'list' },
  { ...COMMON, name: 'nemotron', has: ['<TOOLCALL>'], open: '<TOOLCALL>', close: '</TOOLCALL>', form: 'list' },
]

/** The family of a template; `GENERIC` where there is none, or it is of no other. */
export function toolFamily(template: string | undefined): ToolFamily {
  const isOf = ({ has, lacks }: ToolFamily): boolean =>
    template !== undefined &&
    has.every((text) => template.includes(text)) &&
    !lacks.some((text) => template.includes(text))
  return FAMILIES.find(isOf) ?? GENERIC
}

/** How a model's thoughts stand before its answer. */
export interface ReasoningMarks {
  readonly open: string
  /** What of `open` is a token of its own, where the rest is text. */
  readonly token?: string
  readonly close: string
}

const REASONING: readonly ReasoningMarks[] = [
  { open: '<think>', close: '</think>' },
  { open: '[THINK]', close: '[/THINK]' },
  { open: '<seed:think>', close: '</seed:think>' },
  { open: '◁think▷', close: '◁/think▷' },
  { open: '<|channel>thought', token: '<|channel>', close: '<channel|>' },
  { open: 'Here is my thought process:', close: 'Here is my response:' },
]

/** The marks that a template speaks of: a model whose template has none keeps what looks like thoughts as text. */
export function reasoningMarks(template: string | undefined): ReasoningMarks | undefined {
  return REASONING.find(({ open, close }) => template?.includes(open) || template?.includes(close))
}
