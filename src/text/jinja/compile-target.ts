// Places and targets: where code stands, and what it assigns to.

import { checkLength, spend } from './budget.ts'
import { unpack } from './compile-expression.ts'
import { TemplateError } from './errors.ts'
import { accessName, type Frame, type Output, type Place } from './frame.ts'
import { type FunctionScope, Scope } from './scopes.ts'
import type { Target } from './syntax.ts'
import { Namespace, type Value } from './values.ts'

/** A place inside a new scope, whose names `visit` notes. */
export function inner(
  place: Place,
  visit: (scope: Scope) => void,
  functionScope: FunctionScope = place.scope.functionScope,
): Place {
  const scope = new Scope(functionScope, place.scope)
  visit(scope)
  return {
    scope,
    isSoft: false,
    isInLoop: place.isInLoop && functionScope === place.scope.functionScope,
    isTop: false,
    blocks: place.blocks,
  }
}

/** Writes text, as long as the output has room. */
export function write(out: Output, text: string): void {
  out.text += text
  checkLength(out.text.length)
  spend(text.length / 256)
}

/** Code that assigns a value to names, and to attributes of namespaces. */
export function compileTarget(target: Target, place: Place): (frame: Frame, value: Value) => void {
  if (target.type === 'Targets') {
    const items = target.items.map((item) => compileTarget(item, place))
    return (frame, value) => {
      const values = unpack(value, items.length)
      for (const [i, assign] of items.entries()) assign(frame, values[i]!)
    }
  }
  const { get, set } = accessName(target.name, place.scope)
  if (target.type === 'Name') {
    const { name } = target
    if (!place.isTop) return set
    return (frame, value) => {
      set(frame, value)
      frame.rendering.context.set(name, value)
    }
  }
  const { attribute } = target
  return (frame, value) => (get(frame) as Namespace).attributes.set(attribute, value)
}

/** Only a namespace takes attributes, which is checked before the value is evaluated. */
export function compileNamespaceCheck(target: Target, place: Place): (frame: Frame) => void {
  const items = target.type === 'Targets' ? target.items : [target]
  const checks = items.flatMap((item) =>
    item.type === 'NamespaceAttribute' ? [accessName(item.name, place.scope)] : [],
  )
  return (frame) => {
    for (const { get } of checks) {
      if (!(get(frame) instanceof Namespace))
        throw new TemplateError('type', 'cannot assign attribute on non-namespace object')
    }
  }
}
