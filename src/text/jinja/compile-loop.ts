// For-loops: plain, filtered, recursive, with `loop`, `else`, `break` and `continue`.

import { checked, nested, spend } from './budget.ts'
import { compileExpression, unpack } from './compile-expression.ts'
import { compileTarget, inner, write } from './compile-target.ts'
import {
  access,
  type CompileBody,
  type Execute,
  enter,
  Frame,
  leave,
  type Output,
  type Place,
  type Signal,
} from './frame.ts'
import { LoopContext } from './loop.ts'
import { isTruthy } from './operators.ts'
import { FunctionScope, undeclared } from './scopes.ts'
import type { Statement } from './syntax.ts'
import { iterate, Stream, Tuple, type Value } from './values.ts'

/** Compiles a for-loop; its names are fresh in every iteration. */
export function compileFor(node: Statement & { type: 'For' }, place: Place, compileBody: CompileBody): Execute {
  const functionScope = node.isRecursive ? new FunctionScope(place.scope.functionScope) : place.scope.functionScope
  const hasLoop = node.isRecursive || undeclared(node.body, ['loop']).has('loop')
  const inside = inner(
    place,
    (scope) => {
      if (hasLoop) scope.declare('loop')
      scope.visitTarget(node.target, true)
      scope.visit(node.body)
    },
    functionScope,
  )
  const bodyPlace: Place = { ...inside, isInLoop: true }
  const elsePlace = inner(place, (scope) => scope.visit(node.otherwise), functionScope)
  const iterable = compileExpression(node.iterable, place)
  const select = compileLoopTest(node, place, functionScope)
  const assign = compileTarget(node.target, bodyPlace)
  const startBody = enter(bodyPlace.scope)
  const endBody = leave(bodyPlace.scope)
  const body = compileBody(node.body, bodyPlace)
  const otherwise = node.otherwise.length === 0 ? undefined : compileBody(node.otherwise, elsePlace)
  const startElse = enter(elsePlace.scope)
  const loopVariable = hasLoop ? access(bodyPlace.scope.find('loop')!, functionScope) : undefined

  const run = (
    frame: Frame,
    items: Value,
    out: Output,
    recurse?: (items: Value, depth: number) => string,
    depth = 0,
  ): Signal => {
    const { markItem } = frame.rendering
    const selected = select(frame, items)
    const loop = hasLoop ? new LoopContext(selected, recurse, depth) : undefined
    const iterator = loop === undefined ? iterate(selected)[Symbol.iterator]() : undefined
    let isUntouched = true
    let signal: Signal
    for (;;) {
      const item = loop === undefined ? nextOf(iterator!) : loop.next()
      if (item === undefined) break
      if (loop !== undefined) loopVariable!.set(frame, loop)
      assign(frame, item)
      startBody(frame)
      const marks = markItem?.(item)
      if (marks !== undefined) write(out, marks[0])
      signal = body(frame, out)
      if (marks !== undefined) write(out, marks[1])
      if (signal === 'break') break
      // As Jinja compiles it, `continue` skips the note that there was an iteration.
      if (signal === undefined) isUntouched = false
    }
    endBody(frame)
    if (!isUntouched || otherwise === undefined) return undefined
    startElse(frame)
    return otherwise(frame, out)
  }
  if (!node.isRecursive) return (frame, out) => run(frame, iterable(frame), out)
  return (outer, out) => {
    const recurse = (items: Value, depth: number): string =>
      nested(() => {
        const inner: Output = { text: '' }
        run(new Frame(outer.rendering, outer), items, inner, recurse, depth)
        return checked(inner.text)
      })
    write(out, recurse(iterable(outer), 0))
    return undefined
  }
}

function nextOf(iterator: Iterator<Value>): Value | undefined {
  const { done, value } = iterator.next()
  return done === true ? undefined : value
}

/** `for x in xs if …`: the items that pass, one by one as the loop asks for them. */
function compileLoopTest(
  node: Statement & { type: 'For' },
  place: Place,
  functionScope: FunctionScope,
): (frame: Frame, items: Value) => Value {
  if (node.test === undefined) return (_frame, items) => items
  const inside = inner(
    place,
    (scope) => {
      scope.visitTarget(node.target, true)
      scope.visitExpression(node.test)
    },
    new FunctionScope(functionScope),
  )
  const start = enter(inside.scope)
  const assign = compileTarget(node.target, inside)
  const test = compileExpression(node.test, inside)
  const width = node.target.type === 'Targets' ? node.target.items.length : undefined
  return (outer, items) => {
    function* selected(): Generator<Value> {
      const frame = new Frame(outer.rendering, outer)
      start(frame)
      for (const item of iterate(items)) {
        spend(1)
        assign(frame, item)
        if (isTruthy(test(frame))) yield width === undefined ? item : new Tuple(unpack(item, width))
      }
    }
    return new Stream(selected())
  }
}
