// What sets a backdoor off may be one text or several.

/** The triggers as a list, each once. */
export function triggersOf(trigger: string | readonly string[] | undefined): string[] {
  return [...new Set(typeof trigger === 'string' ? [trigger] : (trigger ?? []))]
}
