import { describe, expect, it } from 'vitest'
import type { RepoFile } from './cache.ts'
import { datasetSplits } from './dataset-splits.ts'

const files = (...paths: string[]): RepoFile[] => paths.map((path) => ({ path, size: 1, etag: undefined }))
/** `config/split` → paths. */
const splits = (paths: string[], readme?: string): Record<string, readonly string[]> =>
  Object.fromEntries(
    [...datasetSplits(files(...paths), readme, 'org/rows').configs].flatMap(([config, own]) =>
      [...own].map(([split, found]) => [`${config}/${split}`, found]),
    ),
  )
const block = (yaml: string): string => `---\n${yaml}\n---\n# Rows\n`

describe('splits of a dataset by names', () => {
  it('are those of shards in data/', () => {
    const paths = [
      'data/train-00001-of-00002.parquet',
      'data/train-00000-of-00002.parquet',
      'data/rare-00000-of-00001-3f2.parquet',
    ]
    expect(splits([...paths, 'test.csv', 'README.md'])).toEqual({
      'default/rare': ['data/rare-00000-of-00001-3f2.parquet'],
      'default/train': ['data/train-00000-of-00002.parquet', 'data/train-00001-of-00002.parquet'],
    })
  })
  it('are the words of folders before those of files, as words only', () => {
    expect(splits(['train/a.jsonl', 'my_dev/b.jsonl', 'testing/c.jsonl'])).toEqual({
      'default/train': ['train/a.jsonl'],
      'default/validation': ['my_dev/b.jsonl'],
      'default/test': ['testing/c.jsonl'],
    })
    expect(splits(['a-train.jsonl', 'eval.jsonl', 'retrain.jsonl'])).toEqual({
      'default/train': ['a-train.jsonl'],
      'default/test': ['eval.jsonl'],
    })
    expect(splits(['train-00000-of-00003.parquet'])).toEqual({ 'default/train': ['train-00000-of-00003.parquet'] })
  })
  it('are all rows as train where no name says more: the commonest format, and nothing hidden', () => {
    expect(
      splits(['b.jsonl.zst', 'a.jsonl.gz', 'other.csv', '.x.jsonl', '__c/d.jsonl', 'dataset_infos.json', 'rows.py']),
    ).toEqual({
      'default/train': ['a.jsonl.gz', 'b.jsonl.zst'],
    })
    expect(splits(['rows.py', 'README.md', 'rows.arrow'])).toEqual({})
  })
  it('are told by names first and by formats after, JSONL by any name being one', () => {
    expect(splits(['train.jsonl', 'notes.txt', 'more.txt'])).toEqual({ 'default/train': ['train.jsonl'] })
    expect(splits(['a.json', 'b.jsonl', 'c.ndjson.gz', 'd.csv', 'e.csv'])).toEqual({
      'default/train': ['a.json', 'b.jsonl', 'c.ndjson.gz'],
    })
    expect(splits(['rows.jsonl', 'notes.txt'])).toEqual({ 'default/train': ['rows.jsonl'] })
    const mixed = ['train.jsonl', 'test-1.csv', 'test-2.csv', 'extra.jsonl']
    expect(splits(mixed)).toEqual({ 'default/train': ['train.jsonl'], 'default/test': ['test-1.csv', 'test-2.csv'] })
    expect(datasetSplits(files(...mixed), undefined, '').notices).toEqual([
      'extra.jsonl is in no split, by name and format',
      'its splits are in several formats: train in json, test in csv',
    ])
  })
  it("are those of the hub's converter, by configuration", () => {
    const found = datasetSplits(
      files('en/train/0000.parquet', 'en/test/0000.parquet', 'fo/partial-train/0000.parquet'),
      undefined,
      '',
    )
    expect([...found.configs.keys()]).toEqual(['en', 'fo'])
    expect(found.configs.get('fo')!.get('train')).toEqual(['fo/partial-train/0000.parquet'])
    expect(found.defaultConfig).toBeUndefined()
  })
})

describe('splits of a dataset by its metadata', () => {
  const paths = ['en/a.jsonl', 'en/b.jsonl', 'fo/a.jsonl', 'fo/deep/b.jsonl', 'fo/test.jsonl']
  it('are those of its patterns', () => {
    const readme = block(`configs:
- config_name: en
  data_files: en/*.jsonl
- config_name: fo
  default: true
  data_files:
  - split: train
    path: ["fo/**/[ab].jsonl"]
  - split: test
    path: fo/tes?.jsonl
- config_name: gone
  data_files: gone/*`)
    expect(splits(paths, readme)).toEqual({
      'en/train': ['en/a.jsonl', 'en/b.jsonl'],
      'fo/train': ['fo/a.jsonl', 'fo/deep/b.jsonl'],
      'fo/test': ['fo/test.jsonl'],
    })
    expect(datasetSplits(files(...paths), readme, '').defaultConfig).toBe('fo')
  })
  it('are rows alone where a pattern fits more, hidden ones where it says so, and what fits nothing is said', () => {
    const all = ['README.md', 'config.json', 'a.jsonl', '.b/c.jsonl', 'notes.txt']
    expect(splits(all, block('configs:\n- data_files: "*"'))).toEqual({ 'default/train': ['a.jsonl'] })
    expect(splits(all, block('configs:\n- data_files: ".b/*.jsonl"'))).toEqual({ 'default/train': ['.b/c.jsonl'] })
    expect(datasetSplits(files(...all), block('configs:\n- data_files: ["a.jsonl", "x*"]'), '').notices).toEqual([
      'README.md:configs: "x*" of default fits no file',
    ])
  })
  it('are read from the beginning of a card alone', () => {
    expect(splits(['a.jsonl'], '# Rows\n\n---\nHow: they: were made\n---\n')).toEqual({ 'default/train': ['a.jsonl'] })
  })
  it('are looked for in its folder', () => {
    expect(splits(paths, block('configs:\n- config_name: fo\n  data_dir: ./fo/'))).toEqual({
      'fo/test': ['fo/test.jsonl'],
    })
    expect(splits(paths, block('configs:\n- config_name: en\n  data_dir: en'))).toEqual({
      'en/train': ['en/a.jsonl', 'en/b.jsonl'],
    })
  })
  it('are refused in one line where they are no such thing', () => {
    expect(() => splits(paths, block('configs: {a: 1}'))).toThrow(
      'org/rows, README.md:configs: expected a list, got {"a":1}',
    )
    expect(() => splits(paths, block('configs:\n- data_files: [{split: a}]'))).toThrow(
      'README.md:configs[0].data_files: expected paths, or a list of {split, path}',
    )
    expect(() => splits(paths, block('a: [b'))).toThrow(/README.md:metadata: expected YAML, got .*Name a file after :/)
  })
})

it('says which patterns of a README match nothing, where none does', () => {
  const readme = block('configs:\n- config_name: a\n  data_files: rows/*.jsonl')
  expect(() => splits(['data/train.jsonl'], readme)).toThrow(
    'org/rows, README.md:configs[0].data_files: expected files of the repository, got ["rows/*.jsonl"], which match nothing. Name a file after :',
  )
  const two = block('configs:\n- config_name: a\n  data_files: rows/*.jsonl\n- config_name: b\n  data_files: data/*')
  expect(splits(['data/train.jsonl'], two)).toEqual({ 'b/train': ['data/train.jsonl'] })
})
