// Statements → JavaScript functions that write. How names find their variables is in scopes.ts.

import { spend } from './budget.ts'
import { call, compileArguments, compileExpression, compileFilter } from './compile-expression.ts'
import { compileFor } from './compile-loop.ts'
import { compileCallable } from './compile-macro.ts'
import { compileNamespaceCheck, compileTarget, inner, write } from './compile-target.ts'
import { TemplateError, typeError } from './errors.ts'
import { accessName, type Execute, enter, Frame, leave, type Output, type Place, type Rendering } from './frame.ts'
import { isTruthy } from './operators.ts'
import { str } from './print.ts'
import { FunctionScope, Scope } from './scopes.ts'
import type { Body, FilterChain, Statement } from './syntax.ts'
import { textOf, typeName, type Value } from './values.ts'

/** Compiles a whole template to a function that renders it. */
export function compile(body: Body): (rendering: Rendering) => string {
  const scope = new Scope(new FunctionScope(undefined), undefined)
  scope.visit(body)
  const place: Place = { scope, isSoft: false, isInLoop: false, isTop: true, blocks: new Set() }
  const start = enter(scope)
  const run = compileBody(body, place)
  return (rendering) => {
    const frame = new Frame(rendering, undefined)
    const out: Output = { text: '' }
    start(frame)
    run(frame, out)
    return out.text
  }
}

function compileBody(body: Body, place: Place): Execute {
  const statements = body.map((statement) => [statement.line, compileStatement(statement, place)] as const)
  // What a body costs is known beforehand, except for what its loops, calls and large values pay themselves.
  const cost = 1 + body.reduce((sum, statement) => sum + costOf(statement), 0)
  return (frame, out) => {
    spend(cost)
    for (const [line, execute] of statements) {
      frame.rendering.line = line
      const signal = execute(frame, out)
      if (signal !== undefined) return signal
    }
    return undefined
  }
}

/** How many nodes of a statement are evaluated at most, bodies left out. */
function costOf(node: unknown): number {
  if (Array.isArray(node)) return node.reduce<number>((sum, item) => sum + costOf(item), 0)
  if (typeof node !== 'object' || node === null || (node as { type?: string }).type === 'Const') return 0
  let cost = 1
  for (const [key, value] of Object.entries(node)) if (key !== 'body' && key !== 'otherwise') cost += costOf(value)
  return cost
}

function compileStatement(node: Statement, place: Place): Execute {
  switch (node.type) {
    case 'Output': {
      const items = node.items.map((item) => compileExpression(item, place))
      return (frame, out) => {
        for (const item of items) write(out, str(item(frame)))
        return undefined
      }
    }
    case 'IfBlock': {
      const soft = { ...place, isSoft: true }
      const branches = node.branches.map(
        ({ test, body }) => [compileExpression(test, soft), compileBody(body, soft)] as const,
      )
      const otherwise = compileBody(node.otherwise, soft)
      return (frame, out) => {
        for (const [test, body] of branches) if (isTruthy(test(frame))) return body(frame, out)
        return otherwise(frame, out)
      }
    }
    case 'For':
      return compileFor(node, place, compileBody)
    case 'Set': {
      const value = compileExpression(node.value, place)
      const check = compileNamespaceCheck(node.target, place)
      const assign = compileTarget(node.target, place)
      return (frame) => {
        check(frame)
        assign(frame, value(frame))
        return undefined
      }
    }
    case 'SetBlock': {
      const inside = inner(place, (scope) => {
        scope.visit(node.body)
        scope.visitExpression(node.filters)
      })
      const capture = compileCapture(node.body, node.filters, inside)
      const assign = compileTarget(node.target, place)
      const check = compileNamespaceCheck(node.target, place)
      return capture((frame, value) => {
        check(frame)
        assign(frame, value)
      })
    }
    case 'FilterBlock': {
      const inside = inner(place, (scope) => {
        scope.visit(node.body)
        scope.visitExpression(node.filters)
      })
      return compileCapture(node.body, node.filters, inside)((_frame, value, out) => write(out, textOnly(value)))
    }
    case 'With': {
      const inside = inner(place, (scope) => {
        for (const [target] of node.assignments) scope.visitTarget(target, true)
        scope.visit(node.body)
      })
      const start = enter(inside.scope)
      const end = leave(inside.scope)
      const assignments = node.assignments.map(
        ([target, value]) => [compileTarget(target, inside), compileExpression(value, place)] as const,
      )
      const body = compileBody(node.body, inside)
      return (frame, out) => {
        start(frame)
        for (const [assign, value] of assignments) assign(frame, value(frame))
        const signal = body(frame, out)
        end(frame)
        return signal
      }
    }
    case 'Macro': {
      const make = compileCallable(node, node.name, place, compileBody)
      const { set } = accessName(node.name, place.scope)
      return (frame) => {
        const macro = make(frame)
        set(frame, macro)
        if (place.isTop) frame.rendering.context.set(node.name, macro)
        return undefined
      }
    }
    case 'CallBlock': {
      const make = compileCallable(node, undefined, place, compileBody)
      const callee = compileExpression(node.call.callee, place)
      const given = compileArguments(node.call.arguments, place)
      return (frame, out) => {
        const caller = make(frame)
        const value = callee(frame)
        const { args, keywords } = given(frame)
        write(out, textOnly(call(value, args, new Map([...keywords, ['caller', caller]]))))
        return undefined
      }
    }
    case 'Generation': {
      // A call block around a function that only gives what it is given: names set inside stay inside.
      const make = compileCallable({ parameters: [], defaults: [], body: node.body }, undefined, place, compileBody)
      return (frame, out) => {
        write(out, str(make(frame).call([], new Map())))
        return undefined
      }
    }
    case 'Block':
      return compileBlock(node.name, node.body, place)
    case 'Break':
    case 'Continue': {
      if (!place.isInLoop)
        throw new TemplateError('syntax', `'${node.type.toLowerCase()}' outside of a loop`, node.line)
      const signal = node.type === 'Break' ? 'break' : 'continue'
      return () => signal
    }
  }
}

/** What filter and call blocks write has to be a text already, as in Jinja. */
function textOnly(value: Value): string {
  const text = textOf(value)
  if (text === undefined) throw typeError(`expected a text to write, got ${typeName(value)}`)
  return text
}

/** Code that runs a body into a text of its own, filters it, and hands it on. */
function compileCapture(
  body: Body,
  filters: FilterChain,
  inside: Place,
): (use: (frame: Frame, value: Value, out: Output) => void) => Execute {
  const start = enter(inside.scope)
  const end = leave(inside.scope)
  const run = compileBody(body, inside)
  const steps = filters.map(({ name, arguments: given }) => compileFilter(name, given, inside))
  return (use) => (frame, out) => {
    const captured: Output = { text: '' }
    start(frame)
    const signal = run(frame, captured)
    if (signal !== undefined) return signal
    let value: Value = captured.text
    for (const step of steps) value = step(frame, value)
    use(frame, value, out)
    end(frame)
    return undefined
  }
}

/** A block stands for itself here, where no template extends another; it sees the context only, not the variables around it. */
function compileBlock(name: string, body: Body, { blocks }: Place): Execute {
  if (blocks.has(name)) throw new TemplateError('syntax', `block '${name}' defined twice`)
  blocks.add(name)
  const scope = new Scope(new FunctionScope(undefined), undefined)
  scope.visit(body)
  const start = enter(scope)
  const run = compileBody(body, { scope, isSoft: false, isInLoop: false, isTop: false, blocks })
  return (outer, out) => {
    const frame = new Frame(outer.rendering, undefined)
    start(frame)
    run(frame, out)
    return undefined
  }
}
