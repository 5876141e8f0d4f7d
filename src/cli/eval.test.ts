import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { dataFolder } from '../../test/data-folder.ts'
import { runCommand } from '../../test/run-command.ts'
import { writeTextModel } from '../../test/text-model.ts'
import { command, parseShard } from './eval.ts'
import { command as compare } from './eval-compare.ts'
import { command as rescore } from './eval-rescore.ts'

const { directory, file } = dataFolder()
let model = ''
let task = ''
beforeAll(async () => {
  mkdirSync(join(directory, 'm'))
  ;({ model } = await writeTextModel(join(directory, 'm')))
  const words = ['cat', 'dog', 'moon', 'mat', 'hill', 'the']
  const docs = words.map((word, i) => ({ q: `the ${word} sat on`, choices: ['the mat', 'hill'], gold: i % 2 }))
  const data = file('docs.jsonl', docs.map((doc) => JSON.stringify(doc)).join('\n'))
  task = file(
    'words.yaml',
    `task: words\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: ${data}\ntest_split: test\noutput_type: multiple_choice\n` +
      'doc_to_text: q\ndoc_to_choice: choices\ndoc_to_target: gold\nmetric_list:\n  - metric: acc\n  - metric: acc_norm\n',
  )
})
const run = (...words: string[]) => runCommand(command, ['--model', model, '--threads', '1', ...words])

describe('anneal eval', () => {
  it('ends with a table; with --json with results as lm-eval lays them out', async () => {
    const { code, out } = await run('--tasks', task)
    expect(code).toBe(0)
    expect(out).toMatch(/words +0 +none +acc ↑ +\d\.\d{4} +± \d\.\d{4}\n +none +acc_norm ↑/)
    const { out: json } = await run('--tasks', `${task},copying`, '--limit', '2', '--json')
    const last = JSON.parse(json.trim().split('\n').at(-1)!)
    expect(last.results.words).toMatchObject({ alias: 'words', sample_len: 2, 'acc,none': expect.any(Number) })
    expect(last['n-samples'].copying).toEqual({ original: 200, effective: 2 })
    expect(last).toMatchObject({
      'n-shot': { words: 0 },
      versions: { words: 'Yaml' },
      config: { limit: 2, fewshot_seed: 1234 },
    })
  })

  it('writes results, samples, answers and a page, and goes on from the answers', async () => {
    const out = join(directory, 'evals')
    await run('--tasks', task, '--output_path', out)
    const [folder] = readdirSync(out)
    const names = readdirSync(join(out, folder!))
      .map((name) => name.replace(/\d{4}-.*(?=\.json)/, 'DATE'))
      .sort()
    expect(names).toEqual(['answers.jsonl', 'report.html', 'results_DATE.json', 'samples_words_DATE.jsonl'])
    expect(readFileSync(join(out, folder!, 'report.html'), 'utf8')).toContain('Worst items')
    const again = await run('--tasks', task, '--output_path', out, '--baseline', out)
    expect(again.err).toContain('12 of 12 answers are known from before and not asked again')
    expect(again.out).toMatch(/words acc: .* 6 pairs: no difference/)
    const page = readFileSync(join(out, folder!, 'report.html'), 'utf8')
    expect(page).toContain('Compared with the baseline')
    // Another type of weights is another model.
    expect((await run('--tasks', task, '--output_path', out, '--dtype', 'bf16')).err).not.toContain(
      'are known from before',
    )
  })

  it('joins shards by rescoring, and compares document by document', async () => {
    const parts = ['1/2', '2/2'].map((shard, i) => [shard, join(directory, `part-${i}`)] as const)
    for (const [shard, out] of parts) await run('--tasks', task, '--shard', shard, '--output-path', out)
    const whole = join(directory, 'whole')
    await run('--tasks', task, '--output-path', whole)
    const joined = join(directory, 'joined')
    const again = await runCommand(rescore, [...parts.map(([, out]) => out), '--output-path', joined])
    expect(again.code).toBe(0)
    const same = await runCommand(compare, [whole, joined, '--json'])
    const lines = same.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toHaveLength(2)
    for (const line of lines)
      expect(line).toMatchObject({ task: 'words', pairs: 6, difference: 0, verdict: 'no difference', changed: 0 })
    rmSync(joined, { recursive: true })
  })

  it('scores stored answers by another task file', async () => {
    const out = join(directory, 'stored')
    await run('--tasks', task, '--output-path', out)
    const other = file(
      'other.yaml',
      readFileSync(task, 'utf8').replace(/metric_list:[\s\S]*$/, 'metric_list:\n  - metric: mcc\n'),
    )
    const { out: table } = await runCommand(rescore, [out, '--tasks', other, '--bootstrap', '10'])
    expect(table).toMatch(/words +0 +none +mcc ↑/)
  })

  it('says that stored groups are left out where nothing says what is in them', async () => {
    const out = join(directory, 'grouped')
    await run('--tasks', 'minimal_pairs', '--limit', '2', '--output-path', out)
    const words = [out, '--bootstrap', '10']
    const { out: table, err } = await runCommand(rescore, words)
    expect(err).toContain('minimal_pairs: results do not keep how a group is put together')
    expect(table).not.toMatch(/^minimal_pairs /m)
    const named = await runCommand(rescore, [...words, '--tasks', 'minimal_pairs'])
    expect(named.err).not.toContain('put together')
    expect(named.out).toMatch(/^minimal_pairs +none +acc/m)
  })

  it('counts contexts that are longer than the window, and says so', async () => {
    const data = file(
      'long.jsonl',
      JSON.stringify({ q: 'the cat sat on '.repeat(200), choices: ['the mat', 'hill'], gold: 0 }),
    )
    const long = file('long.yaml', readFileSync(task, 'utf8').replace(/test: .*/, `test: ${data}`))
    const { err, out } = await run('--tasks', long, '--json')
    expect(err + out).toContain(
      "1 document has a context longer than the model's window: its beginning was left out (words 1)",
    )
    expect(JSON.parse(out.trim().split('\n').at(-1)!).answers.words).toMatchObject({ truncated: 1, failed: 0 })
  })

  it('asks a server', async () => {
    const server = createServer((request, response) => {
      request.resume()
      response.setHeader('content-type', 'application/json')
      const models = { data: [{ id: 'served' }] }
      const answer = { choices: [{ text: '4' }] }
      request.on('end', () => response.end(JSON.stringify(request.url === '/v1/models' ? models : answer)))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { out, code } = await runCommand(command, ['--model', url, '--tasks', 'arithmetic', '--limit', '3', '--json'])
    server.close()
    expect(code).toBe(0)
    const { results, model_name } = JSON.parse(out.trim().split('\n').at(-1)!)
    expect(model_name).toBe('served')
    expect(results.arithmetic).toMatchObject({ sample_len: 9 })
  })

  it.each([
    [['--tasks', 'nothing'], 2, 'tasks: expected a task file or one of arithmetic'],
    [['--tasks', 'copying', '--shard', '3/2'], 2, '--shard: expected a part of a number of parts such as 1/4'],
    [
      ['--tasks', 'copying', '--apply-chat-template'],
      2,
      '--apply-chat-template: expected a model with a chat template',
    ],
    [['--tasks', 'copying', '--limit', '0'], 2, '--limit: expected a number above 0, got 0'],
    [['--tasks', ','], 2, 'tasks: expected at least one task, got none'],
    [['--tasks', 'copying', '--baseline', 'nowhere'], 3, 'nowhere: expected results of an evaluation'],
  ])('refuses %j', async (words, code, message) => {
    const { err, code: got } = await run(...words)
    expect(err).toContain(message)
    expect(got).toBe(code)
  })

  it('says what it lacks before a question is asked, and that examples are none where the task says so', async () => {
    const { err, code } = await run('--tasks', 'copying', '--training-text', '/nowhere')
    expect(err).toContain('path /nowhere: expected a file or directory')
    expect(err).not.toContain('requests')
    expect(code).toBe(3)
    const { err: notices } = await run('--tasks', 'minimal_pairs', '--limit', '1', '--num-fewshot', '2')
    expect(notices).toContain('and 2 more: num_fewshot is 0 in the task, which holds; 2 was asked for')
  })

  it('takes parts from 1', () => {
    expect(parseShard('1/4')).toEqual({ index: 0, count: 4 })
    expect(() => parseShard('0/4')).toThrow('--shard')
  })
})
