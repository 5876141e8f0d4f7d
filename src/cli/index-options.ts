// Options of the commands that put rows into an index. Data and plain functions only, so that `--help` loads no reader.

/** Which rows, and what of them. */
export const INDEX_DATA_OPTIONS = {
  data: {
    kind: 'list',
    value: 'PATH',
    summary: 'files, folders or names of datasets on the hub; may be repeated',
    required: true,
  },
  'id-column': {
    kind: 'text',
    value: 'NAME',
    summary: 'field that holds the id; a row without is named by file and line',
    default: 'id',
    library: 'idKey',
  },
  'meta-column': {
    kind: 'list',
    value: 'NAME',
    summary: 'a field to give back with the text; may be repeated (default: all)',
    library: 'metaKeys',
  },
} as const

/** What they say, as `buildIndex` and `addToIndex` take it. */
export function indexData(
  options: {
    data: string[]
    idColumn: string
    metaColumn: string[]
    textColumn: string
    maxBadFraction: number
    device: string
  },
  given: ReadonlySet<string>,
): {
  data: string[]
  idKey: string
  metaKeys: string[] | undefined
  textKey: string | undefined
  maxBadFraction: number
  device: 'auto'
} {
  const { data, idColumn: idKey, metaColumn, textColumn, maxBadFraction, device } = options
  const metaKeys = metaColumn.length === 0 ? undefined : metaColumn
  // Tables without a field `text` are read whole, unless a field was asked for by name.
  const textKey = given.has('text-column') ? textColumn : undefined
  return { data, idKey, metaKeys, textKey, maxBadFraction, device: device as 'auto' }
}
