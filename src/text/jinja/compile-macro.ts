// Macros and the bodies of call blocks: functions of the template's own.

import { compileExpression } from './compile-expression.ts'
import { inner } from './compile-target.ts'
import { TemplateError } from './errors.ts'
import { access, type CompileBody, enter, Frame, type Output, type Place } from './frame.ts'
import { Macro, type MacroArguments } from './macro.ts'
import { FunctionScope, undeclared } from './scopes.ts'
import type { Callable } from './syntax.ts'
import { Undefined, type Value } from './values.ts'

/** Code that makes a macro of parameters and a body. What the body reads of the names around it, it reads when it is called. */
export function compileCallable(
  node: Callable,
  name: string | undefined,
  place: Place,
  compileBody: CompileBody,
): (frame: Frame) => Macro {
  const functionScope = new FunctionScope(place.scope.functionScope)
  const special = undeclared(node.body, ['caller', 'kwargs', 'varargs'])
  const takes = (word: string): boolean => special.has(word) && !node.parameters.includes(word)
  if (
    special.has('caller') &&
    node.parameters.includes('caller') &&
    node.parameters.length - node.parameters.indexOf('caller') > node.defaults.length
  ) {
    throw new TemplateError('syntax', "the special 'caller' argument must be omitted or be given a default")
  }
  const signature = {
    name,
    parameters: node.parameters,
    takesCaller: special.has('caller'),
    takesKeywords: takes('kwargs'),
    takesRest: takes('varargs'),
  }
  const inside = inner(
    place,
    (scope) => {
      for (const parameter of node.parameters) scope.declare(parameter)
      for (const word of ['caller', 'kwargs', 'varargs']) if (takes(word)) scope.declare(word)
      scope.visitExpression(node.defaults)
      scope.visit(node.body)
    },
    functionScope,
  )
  const start = enter(inside.scope)
  const parameters = node.parameters.map((parameter, i) => {
    const fallback = node.defaults[i - node.parameters.length + node.defaults.length]
    return {
      ...access(inside.scope.find(parameter)!, functionScope),
      missing: new Undefined(`parameter '${parameter}' was not provided`),
      fallback: fallback === undefined ? undefined : compileExpression(fallback, inside),
    }
  })
  const setSpecial = (frame: Frame, word: string, value: Value | undefined): void => {
    if (takes(word)) access(inside.scope.find(word)!, functionScope).set(frame, value)
  }
  const body = compileBody(node.body, inside)
  const run = (outer: Frame, { values, caller, keywords, rest }: MacroArguments): string => {
    const frame = new Frame(outer.rendering, outer)
    const out: Output = { text: '' }
    for (const [i, { set }] of parameters.entries()) set(frame, values[i])
    setSpecial(frame, 'caller', caller)
    setSpecial(frame, 'kwargs', keywords)
    setSpecial(frame, 'varargs', rest)
    start(frame)
    for (const { get, set, fallback, missing } of parameters) {
      if (get(frame) === undefined) set(frame, fallback === undefined ? missing : fallback(frame))
    }
    body(frame, out)
    return out.text
  }
  return (frame) => new Macro(signature, (given) => run(frame, given))
}
