// Type declarations as two kinds of text: the prose that editors show, written in Markdown between /** and */, and the code around it.

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

/** The code of a declaration file without comments and the empty lines that they leave. */
export function readDeclarations(source: string): string {
  let code = ''
  for (let at = 0; ; ) {
    const start = source.indexOf('/*', at)
    const end = start < 0 ? -1 : source.indexOf('*/', start + 2)
    code += source.slice(at, end < 0 ? source.length : start)
    if (end < 0) break
    at = end + 2
  }
  return code
    .replaceAll(/^[ \t]*\/\/.*$/gm, '')
    .replaceAll(/[ \t]+$/gm, '')
    .replaceAll(/\n{2,}/g, '\n')
    .trim()
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
