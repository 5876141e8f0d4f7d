// The prose of type declarations: documentation that editors show, written in Markdown between /** and */.

const COMMENT = /\/\*\*(?!\/)([\s\S]*?)\*\//g
const FEWEST_CHARACTERS = 60

/**
 * The doc comments of a declaration file, one paragraph each, without their tags (`@param …`). What is in `seen` is left
 * out and what is new is added to it: declarations of a method in ten interfaces carry its comment ten times.
 */
export function readDocComments(source: string, seen: Set<string> = new Set()): string {
  const comments: string[] = []
  for (const [, body = ''] of source.matchAll(COMMENT)) {
    const text = body
      .replaceAll(/^[ \t]*\*[ \t]?/gm, '')
      .replace(/^@[\s\S]*/m, '')
      .replaceAll(/\{@link(?:code|plain)?\s+([^}]*)\}/g, '$1')
      .replaceAll(/^\[MDN Reference\]\(.*\)$/gm, '')
      .trim()
    if (text.length < FEWEST_CHARACTERS || seen.has(text)) continue
    seen.add(text)
    comments.push(text)
  }
  return comments.join('\n\n')
}
