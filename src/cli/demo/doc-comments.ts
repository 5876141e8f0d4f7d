// The prose of type declarations: documentation that editors show, written in Markdown between /** and */.

const COMMENT = /\/\*\*(?!\/)([\s\S]*?)\*\//g
/** Shorter ones are labels such as `@default false`. */
const FEWEST_CHARACTERS = 60

/** The doc comments of a declaration file in order, without their tags (`@param …`); short and repeated ones are left out. */
export function readDocComments(source: string): string[] {
  const comments = Array.from(source.matchAll(COMMENT), ([, body = '']) =>
    body
      .replaceAll(/^[ \t]*\*[ \t]?/gm, '')
      .replace(/^@[\s\S]*/m, '')
      .replaceAll(/\{@link(?:code|plain)?\s+([^}]*)\}/g, '$1')
      .trim(),
  ).map(unwrapped)
  return [...new Set(comments)].filter((comment) => comment.length >= FEWEST_CHARACTERS)
}

/** Joins the lines of a sentence, which are broken for editors only; code between fences stays as it is. */
function unwrapped(comment: string): string {
  const parts = comment.split('```')
  return parts
    .map((part, index) => (index % 2 === 0 ? part.replaceAll(/(?<=[\p{L},;)`])\n(?=[\p{Ll}(`])/gu, ' ') : part))
    .join('```')
}
