// Changes to the metadata block of somebody's card that leave all other lines as they are, comments and all: keys that are put in, values that go.
import { isDeepStrictEqual } from 'node:util'
import { type Document, isCollection, isMap, isNode, isScalar, isSeq, type Pair, parseDocument, stringify } from 'yaml'
import { metadataFields } from '../../hub/metadata-block.ts'

/** The block without the values of `key` that `isBad` says; without the key where nothing is left. */
export function withoutValues(block: string, key: string, isBad: (value: string) => boolean): string {
  const fields = metadataFields(block)
  const value = fields?.[key]
  const bad = (each: unknown): boolean => typeof each === 'string' && isBad(each)
  if (fields === undefined || !(Array.isArray(value) ? value.some(bad) : bad(value))) return block
  const left = Array.isArray(value) ? value.filter((each) => !bad(each)) : []
  const { [key]: _, ...others } = fields
  const wanted = left.length === 0 ? others : { ...fields, [key]: left }
  const document = parseDocument(block)
  return sure(cut(block, document, key, left.length === 0 ? undefined : bad), wanted, () => {
    if (left.length === 0) document.delete(key)
    else document.set(key, left)
    return document
  })
}

/** The block with `more` keys at its end. */
export function withKeys(block: string, more: Readonly<Record<string, unknown>>): string {
  const wanted = { ...metadataFields(block), ...more }
  const document = parseDocument(block)
  const newline = /\r\n/.test(block) ? '\r\n' : '\n'
  const first = isMap(document.contents) ? document.contents.items[0]?.key : undefined
  const at = isNode(first) ? first.range![0] : 0
  const indent = ' '.repeat(at - (block.lastIndexOf('\n', at - 1) + 1))
  const lines = stringify(more)
    .replace(/^(?=.)/gm, indent)
    .replaceAll('\n', newline)
  return sure(`${block}${lines}`, wanted, () => {
    for (const [key, value] of Object.entries(more)) document.set(key, value)
    return document
  })
}

/** The edited text where it says what is wanted; else (a flow mapping, a trick of YAML) the document, written anew. */
function sure(edited: string, wanted: Record<string, unknown>, otherwise: () => Document): string {
  try {
    if (isDeepStrictEqual(metadataFields(edited), wanted)) return edited
  } catch {} // no YAML any more
  const text = otherwise().toString({ lineWidth: 0 })
  return /\r\n/.test(edited) ? text.replace(/\r?\n/g, '\r\n') : text
}

/** Without the lines of `key`, or of those of its items that are bad. */
function cut(block: string, { contents }: Document, key: string, bad?: (value: unknown) => boolean): string {
  const pair = (isMap(contents) ? contents.items : []).find(({ key: own }) => isScalar(own) && own.value === key) as
    | Pair
    | undefined
  if (pair === undefined) return block
  const spans: [from: number, to: number][] = []
  if (bad === undefined) spans.push([startOf(pair.key), endOf(pair.value) ?? endOf(pair.key)!])
  else if (isSeq(pair.value) && !pair.value.flow) {
    for (const item of pair.value.items)
      if (isScalar(item) && bad(item.value)) spans.push([startOf(item), endOf(item)!])
  } else if (isSeq(pair.value)) {
    const left = pair.value.items.filter((item) => !(isScalar(item) && bad(item.value)))
    const source = left.map((item) => block.slice(startOf(item), endOf(item))).join(', ')
    return `${block.slice(0, startOf(pair.value))}[${source}]${block.slice(endOf(pair.value))}`
  }
  let text = block
  for (const [from, to] of spans.reverse()) {
    const lineEnd = text.indexOf('\n', to)
    text = text.slice(0, text.lastIndexOf('\n', from - 1) + 1) + (lineEnd < 0 ? '' : text.slice(lineEnd + 1))
  }
  return text
}

function startOf(node: unknown): number {
  return isNode(node) ? node.range![0] : 0
}

/** Behind the last character; of a collection in lines, of its last member. */
function endOf(node: unknown): number | undefined {
  if (!isNode(node)) return undefined
  if (isCollection(node) && !node.flow) {
    const last = node.items.at(-1)
    return isNode(last) ? endOf(last) : (endOf((last as Pair | undefined)?.value) ?? endOf((last as Pair).key))
  }
  return node.range![1]
}
