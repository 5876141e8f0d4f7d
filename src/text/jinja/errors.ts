// What can go wrong in a template, in one class: its words name the cause, `kind` says which error Python's Jinja would raise.

/** Which of Python's or Jinja's errors it is; `limit` and `unsupported` are ours. */
export type ErrorKind =
  | 'syntax' // the template cannot be parsed
  | 'undefined' // something that is not there is used as if it were
  | 'type' // an operation on values of the wrong types
  | 'value' // a value out of range
  | 'security' // an attribute that the sandbox hides
  | 'raised' // the template called raise_exception
  | 'limit' // more steps, characters or nesting than a template may use
  | 'unsupported' // a part of Jinja that no chat template needs

/** An error of a template. `line` is where in the template it happened, from 1, where that is known. */
export class TemplateError extends Error {
  readonly kind: ErrorKind
  line: number | undefined

  constructor(kind: ErrorKind, message: string, line?: number) {
    super(message)
    this.name = 'TemplateError'
    this.kind = kind
    this.line = line
  }
}

/** The error for a part of Jinja that is left out on purpose. */
export function unsupported(feature: string): TemplateError {
  return new TemplateError('unsupported', `${feature} is not supported in chat templates`)
}

/** Python's TypeError. */
export function typeError(message: string): TemplateError {
  return new TemplateError('type', message)
}

/** Python's ValueError. */
export function valueError(message: string): TemplateError {
  return new TemplateError('value', message)
}
