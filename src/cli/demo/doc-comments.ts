// The prose of type declarations: documentation that editors show, written in Markdown between /** and */.

/** Shorter ones are labels such as `@default false`. */
const FEWEST_CHARACTERS = 60
const LINK = /\{@link(?:code|plain)?\s([^{}]{0,200})\}/g

/** The doc comments of a declaration file in order, without their tags (`@param …`); short and repeated ones are left out. */
export function readDocComments(source: string): string[] {
  const comments = Array.from(bodiesOf(source), (body) =>
    unwrapped(
      body
        .replaceAll(/^[ \t]*\*[ \t]?/gm, '')
        .replace(/^@[\s\S]*/m, '')
        .replaceAll(LINK, (_, target: string) => target.trim())
        .trim(),
    ),
  )
  return [...new Set(comments)].filter((comment) => comment.length >= FEWEST_CHARACTERS)
}

function* bodiesOf(source: string): Generator<string> {
  for (let at = 0; ; ) {
    const start = source.indexOf('/**', at)
    const end = start < 0 ? -1 : source.indexOf('*/', start + 3)
    if (end < 0) return
    yield source.slice(start + 3, end)
    at = end + 2
  }
}

/** Joins the lines of a sentence, which are broken for editors only; code between fences stays as it is. */
function unwrapped(comment: string): string {
  const parts = comment.split('```')
  const joined = (text: string): string => text.replaceAll(/(?<=[\p{L},;)`])\n(?=[\p{Ll}(`])/gu, ' ')
  return parts.map((part, index) => (index % 2 === 0 ? joined(part) : part)).join('```')
}
