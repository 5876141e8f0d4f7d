// A template's text → its syntax tree: statements, and what stands between them.

import { LIMITS, limitError } from './budget.ts'
import { unsupported } from './errors.ts'
import type { WhiteSpaceRules } from './lexer.ts'
import { isTupleEnd, parseExpression, parseFilter, parsePrimary, parseTuple } from './parse-expression.ts'
import type { Body, Expression, FilterChain, Statement, Target } from './syntax.ts'
import { TokenStream } from './token-stream.ts'

/** Parses a template. Throws a TemplateError where it is malformed or uses what chat templates have no need of. */
export function parse(source: string, rules: WhiteSpaceRules = {}): Body {
  if (source.length > LIMITS.source) throw limitError('source', LIMITS.source)
  return new StatementParser(new TokenStream(source, rules)).template()
}

class StatementParser {
  readonly #tokens: TokenStream

  constructor(tokens: TokenStream) {
    this.#tokens = tokens
  }

  template(): Body {
    return this.#until([])
  }

  /** Statements and text up to a tag with one of these names; stops in front of the name. */
  #until(ends: readonly string[]): Body {
    const tokens = this.#tokens
    const body: Statement[] = []
    let output: Expression[] = []
    let outputLine = 1
    const flush = (): void => {
      if (output.length > 0) body.push({ type: 'Output', items: output, line: outputLine })
      output = []
    }
    const add = (item: Expression, line: number): void => {
      if (output.length === 0) outputLine = line
      output.push(item)
    }
    for (;;) {
      const { type, text, line } = tokens.take()
      if (type === 'data') add({ type: 'Const', value: text }, line)
      else if (type === 'variable_begin') {
        // An expression of its own line, so that an error in it names that.
        flush()
        add(parseTuple(tokens), line)
        tokens.expect('variable_end')
        flush()
      } else if (type === 'block_begin') {
        flush()
        if (tokens.is('name') && ends.includes(tokens.current.text)) return body
        body.push(tokens.nested(() => this.#statement()))
        tokens.expect('block_end')
      } else if (type === 'end') {
        if (ends.length > 0)
          throw tokens.error(`expected {% ${ends.join(' %} or {% ')} %}, got the end of the template`)
        flush()
        return body
      }
    }
  }

  /** The rest of a tag, then statements up to one of `ends`, which is taken. Returns its name too. */
  #body(...ends: string[]): { body: Body; end: string } {
    this.#tokens.skip('operator', ':')
    this.#tokens.expect('block_end')
    const body = this.#until(ends)
    return { body, end: this.#tokens.take().text }
  }

  #statement(): Statement {
    const tokens = this.#tokens
    const { text: tag, line } = tokens.expect('name')
    switch (tag) {
      case 'for':
        return this.#for(line)
      case 'if':
        return this.#if(line)
      case 'set':
        return this.#set(line)
      case 'macro': {
        const name = tokens.expect('name').text
        return { type: 'Macro', line, name, ...this.#signature(), body: this.#body('endmacro').body }
      }
      case 'call': {
        const signature = tokens.isOperator('(') ? this.#signature() : { parameters: [], defaults: [] }
        const call = parseExpression(tokens)
        if (call.type !== 'Call') throw tokens.error('expected a call', line)
        return { type: 'CallBlock', line, call, ...signature, body: this.#body('endcall').body }
      }
      case 'filter':
        return { type: 'FilterBlock', line, filters: this.#filters(true), body: this.#body('endfilter').body }
      case 'with':
        return this.#with(line)
      case 'generation':
        return { type: 'Generation', line, body: this.#body('endgeneration').body }
      case 'block': {
        const name = tokens.expect('name').text
        if (tokens.isName('scoped') || tokens.isName('required'))
          throw unsupported(`a block that is ${tokens.current.text}`)
        const { body } = this.#body('endblock')
        tokens.skip('name', name)
        return { type: 'Block', line, name, body }
      }
      case 'print': {
        const items: Expression[] = []
        while (!tokens.is('block_end')) {
          if (items.length > 0) tokens.expect('operator', ',')
          items.push(parseExpression(tokens))
        }
        return { type: 'Output', line, items }
      }
      case 'break':
        return { type: 'Break', line }
      case 'continue':
        return { type: 'Continue', line }
      case 'extends':
      case 'include':
      case 'import':
      case 'from':
      case 'autoescape':
        throw unsupported(`{% ${tag} %}`)
      default:
        throw tokens.error(`unknown tag '${tag}'`, line)
    }
  }

  #for(line: number): Statement {
    const tokens = this.#tokens
    const target = this.#target('in')
    tokens.expect('name', 'in')
    const iterable = parseTuple(tokens, { withIf: false, end: 'recursive' })
    const test = tokens.skip('name', 'if') ? parseExpression(tokens) : undefined
    const isRecursive = tokens.skip('name', 'recursive')
    const { body, end } = this.#body('endfor', 'else')
    const otherwise = end === 'else' ? this.#body('endfor').body : []
    return { type: 'For', line, target, iterable, test, isRecursive, body, otherwise }
  }

  #if(line: number): Statement {
    const branches: { test: Expression; body: Body }[] = []
    for (;;) {
      const test = parseTuple(this.#tokens, { withIf: false })
      const { body, end } = this.#body('elif', 'else', 'endif')
      branches.push({ test, body })
      if (end === 'endif') return { type: 'IfBlock', line, branches, otherwise: [] }
      if (end === 'else') return { type: 'IfBlock', line, branches, otherwise: this.#body('endif').body }
    }
  }

  #set(line: number): Statement {
    const target = this.#target(undefined, true)
    if (this.#tokens.skip('operator', '=')) return { type: 'Set', line, target, value: parseTuple(this.#tokens) }
    return { type: 'SetBlock', line, target, filters: this.#filters(false), body: this.#body('endset').body }
  }

  #with(line: number): Statement {
    const assignments: (readonly [Target, Expression])[] = []
    while (!this.#tokens.is('block_end')) {
      if (assignments.length > 0) this.#tokens.expect('operator', ',')
      const target = this.#target(undefined)
      this.#tokens.expect('operator', '=')
      assignments.push([target, parseExpression(this.#tokens)])
    }
    return { type: 'With', line, assignments, body: this.#body('endwith').body }
  }

  #filters(startsInline: boolean): FilterChain {
    const filters: { name: string; arguments: ReturnType<typeof parseFilter>['arguments'] }[] = []
    if (startsInline) filters.push(parseFilter(this.#tokens))
    while (this.#tokens.skip('operator', '|')) filters.push(parseFilter(this.#tokens))
    return filters
  }

  #signature(): { parameters: string[]; defaults: Expression[] } {
    const tokens = this.#tokens
    const parameters: string[] = []
    const defaults: Expression[] = []
    tokens.expect('operator', '(')
    while (!tokens.isOperator(')')) {
      if (parameters.length > 0) tokens.expect('operator', ',')
      parameters.push(tokens.expect('name').text)
      if (tokens.skip('operator', '=')) defaults.push(parseExpression(tokens))
      else if (defaults.length > 0) throw tokens.error('a parameter without a default follows one with a default')
    }
    tokens.take()
    return { parameters, defaults }
  }

  /** What is assigned to, up to a name that ends it. */
  #target(end: string | undefined, withNamespace = false): Target {
    const tokens = this.#tokens
    const items: Target[] = []
    let isTuple = false
    while (!isTupleEnd(tokens, end)) {
      if (withNamespace && tokens.is('name') && tokens.next.type === 'operator' && tokens.next.text === '.') {
        const name = tokens.take().text
        tokens.take()
        items.push({ type: 'NamespaceAttribute', name, attribute: tokens.expect('name').text })
      } else items.push(this.#asTarget(parsePrimary(tokens)))
      if (!tokens.skip('operator', ',')) break
      isTuple = true
    }
    if (items.length === 0) throw tokens.error(`expected a name to assign to, got ${tokens.describe()}`)
    return isTuple ? { type: 'Targets', items } : items[0]!
  }

  #asTarget(expression: Expression): Target {
    if (expression.type === 'Name') return { type: 'Name', name: expression.name }
    if (expression.type === 'Tuple' && expression.items.length > 0) {
      return { type: 'Targets', items: expression.items.map((item) => this.#asTarget(item)) }
    }
    throw this.#tokens.error('expected a name to assign to')
  }
}
