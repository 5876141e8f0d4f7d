// Whether what is missing may be printed, gone through and compared as nothing, or is an error there (Jinja's StrictUndefined). Rendering
// is synchronous, so what holds for the one in progress is kept here, as its budget is.

let strict = false

/** Whether an undefined value is an error wherever it is looked at. */
export const isStrict = (): boolean => strict

/** Runs one rendering. */
export function withStrictness<T>(value: boolean, action: () => T): T {
  const outer = strict
  strict = value
  try {
    return action()
  } finally {
    strict = outer
  }
}
