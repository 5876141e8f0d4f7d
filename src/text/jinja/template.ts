// A Jinja template as Transformers renders it: Jinja's immutable sandbox with trim_blocks and lstrip_blocks, loop controls and the
// `generation` tag. Values, texts and printing are Python's.

import { withBudget } from './budget.ts'
import { compile } from './compile.ts'
import { TemplateError } from './errors.ts'
import type { Rendering } from './frame.ts'
import { globals } from './globals.ts'
import type { WhiteSpaceRules } from './lexer.ts'
import { parse } from './parse.ts'
import { withStrictness } from './strictness.ts'
import type { Value } from './values.ts'

/** What a rendering is given beside its variables. */
export interface RenderOptions {
  /** The time that `strftime_now` tells. Default: now. */
  readonly now?: Date
  /** What to write before and after a loop's iteration over an item. */
  readonly markItem?: (item: Value) => readonly [string, string] | undefined
}

/** How a template is read and run where it is not a chat template of Transformers'. */
export interface TemplateOptions extends WhiteSpaceRules {
  /** What is missing may not be printed, gone through or compared (Jinja's StrictUndefined). Default false. */
  readonly isStrict?: boolean
}

/** A template that was parsed and compiled. Errors are TemplateErrors, with the line where it is known. */
export class Template {
  readonly source: string
  readonly #run: (rendering: Rendering) => string

  constructor(source: string, { isStrict = false, ...rules }: TemplateOptions = {}) {
    this.source = source
    const run = withBudget(() => compile(parse(source, rules)))
    this.#run = (rendering) => withStrictness(isStrict, () => run(rendering))
  }

  /** Renders with variables, which win over globals of the same name. */
  render(variables: ReadonlyMap<string, Value>, options: RenderOptions = {}): string {
    const rendering: Rendering = {
      context: new Map([...globals(options.now ?? new Date()), ...variables]),
      line: 0,
      markItem: options.markItem,
    }
    try {
      return withBudget(() => this.#run(rendering))
    } catch (error) {
      if (error instanceof TemplateError && rendering.line > 0) error.line ??= rendering.line
      throw error
    }
  }
}
