import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder } from '../../../test/data-folder.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { evaluate } from '../evaluate.ts'
import { findTasks } from '../find-tasks.ts'
import { lmModel } from '../lm-model.ts'
import { PythonRandom } from '../python-random.ts'
import { resultsOf } from '../results.ts'
import { loadTask, type Task } from '../task.ts'
import { corrupt, detokenized, readConllu } from './scala.ts'

const { directory, file } = dataFolder()
const folder = (name: string): string => {
  mkdirSync(join(directory, name), { recursive: true })
  return join(directory, name)
}
const load = async (name: string, data?: string, numFewshot?: number): Promise<Task[]> => {
  const { tasks } = await findTasks([name], { data })
  return Promise.all(tasks.map((task) => loadTask(task, { data, numFewshot })))
}
const lines = (rows: readonly object[]): string => rows.map((row) => JSON.stringify(row)).join('\n')

describe('tasks that need no data', () => {
  it.each(['minimal_pairs', 'copying', 'arithmetic'])('are the same each time and can be asked: %s', async (name) => {
    const [tasks, again] = [await load(name), await load(name)]
    expect(tasks.map(({ docs }) => docs)).toEqual(again.map(({ docs }) => docs))
    for (const run of await evaluate(lmModel(fakeLm({ reply: () => '7' })), tasks, { limit: 5 }))
      expect(run.samples).toHaveLength(5)
  })
  it('are right', async () => {
    for (const { a, b, sum } of (await load('arithmetic')).flatMap(({ docs }) => docs))
      expect(Number(sum)).toBe(Number(a) + Number(b))
    for (const { line, begin, choices, gold } of (await load('copying'))[0]!.docs) {
      const right = (choices as string[])[gold as number]!
      expect(`${line}`.startsWith(`${begin} ${right}`)).toBe(true)
      expect(new Set(choices as string[]).size).toBe(4)
    }
    for (const { docs, name } of await load('minimal_pairs')) {
      expect(docs.length).toBeGreaterThan(30)
      for (const { sentence_good: good, sentence_bad: bad } of docs) expect(good, name).not.toBe(bad)
    }
  })
  it('say what they need, and which there are', async () => {
    await expect(load('mmlu')).rejects.toThrow(
      'data: expected test/<subject>_test.csv and dev/<subject>_dev.csv for the task mmlu, got nothing',
    )
    await expect(load('mmul')).rejects.toThrow('tasks: expected a task file or one of arithmetic, copying')
    await expect(load('mmul')).rejects.toThrow("got 'mmul'. Did you mean 'mmlu'?")
    await expect(load('minimal_pairs_word_order')).rejects.toThrow(
      'Tasks of a group are asked with all of it: minimal_pairs',
    )
    const group = file('parts.yaml', 'group: parts\ntask:\n  - my_part\n')
    await expect(load(group)).rejects.toThrow('task of group parts: expected a task file or one of')
  })
})

describe('published data sets', () => {
  it('MMLU', async () => {
    const data = folder('mmlu')
    file('mmlu/high_school_art_test.csv', '"Who, if anyone?",1,2,3,4,C\n')
    file('mmlu/high_school_art_dev.csv', '"First, then",a,b,c,d,A\nSecond,e,f,g,h,B\n')
    const tasks = await load('mmlu', data, 1)
    const [run] = await evaluate(lmModel(fakeLm()), tasks)
    expect(run!.samples[0]!.arguments[2]).toEqual([
      'The following are multiple choice questions (with answers) about high school art.\n\n' +
        'First, then\nA. a\nB. b\nC. c\nD. d\nAnswer: A\n\nWho, if anyone?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:',
      ' C',
    ])
    expect(run!.samples[0]!.target).toBe(2)
  })
  it("ARC, in its own form and the Hub's", async () => {
    const data = folder('arc')
    const own = {
      question: {
        stem: 'Why?',
        choices: [
          { text: 'so', label: 'A' },
          { text: 'no', label: 'B' },
        ],
      },
      answerKey: 'B',
    }
    file('arc/ARC-Easy-Test.jsonl', lines([own]))
    file(
      'arc/ARC-Challenge-test.jsonl',
      lines([{ question: 'Why?', choices: { text: ['so', 'no'], label: ['1', '2'] }, answerKey: '1' }]),
    )
    for (const [name, gold] of [
      ['arc_easy', 1],
      ['arc_challenge', 0],
    ] as const) {
      const [task] = await load(name, data)
      const doc = task!.docs[0]!
      expect([task!.text(doc, 0), task!.choices(doc, 0), task!.target(doc, 0)]).toEqual([
        'Question: Why?\nAnswer:',
        ['so', 'no'],
        gold,
      ])
    }
  })
  it('HellaSwag', async () => {
    const data = folder('swag')
    file(
      'swag/hellaswag_val.jsonl',
      lines([
        {
          activity_label: 'Cooking',
          ctx_a: 'A man [header] How to cook [title] stands.',
          ctx_b: 'he Then',
          endings: ['eats  it.', '[step] runs.'],
          label: 1,
        },
      ]),
    )
    const [task] = await load('hellaswag', data)
    const doc = task!.docs[0]!
    expect(task!.text(doc, 0)).toBe('Cooking: A man How to cook. stands. He then')
    expect(task!.choices(doc, 0)).toEqual(['eats it.', ' runs.'])
    expect(task!.target(doc, 0)).toBe(1)
  })
  it('AngryTweets, in English labels or Danish', async () => {
    const data = folder('tweets')
    file(
      'tweets/test.jsonl',
      lines([
        { text: 'Ja!', label: 'positiv' },
        { text: 'Nej.', label: 'negative' },
        { text: 'Nå', label: 'neutral' },
      ]),
    )
    const [task] = await load('angry_tweets', data)
    expect(task!.docs.map((doc, id) => task!.target(doc, id))).toEqual([0, 2, 1])
    expect(task!.text(task!.docs[0]!, 0)).toBe('Tweet: Ja!\nSentiment:')
  })
  it('XQuAD', async () => {
    const data = folder('xquad')
    const qas = [{ id: 'a', question: 'Who?', answers: [{ text: 'The Danes', answer_start: 0 }] }]
    file('xquad/xquad.da.json', JSON.stringify({ data: [{ paragraphs: [{ context: '\ufeffThe Danes came.', qas }] }] }))
    const [run] = await evaluate(lmModel(fakeLm({ reply: () => ' danes came\nX' })), await load('xquad', data))
    expect(run!.task.name).toBe('xquad_da')
    // danes | danes came: precision 1/2, recall 1.
    expect(run!.samples[0]!.scores).toEqual({ f1: expect.closeTo(2 / 3, 12), exact_match: 0 })
  })
  it('BLiMP', async () => {
    file(join('swag', '..', 'blimp.jsonl'), lines([{ sentence_good: 'a b', sentence_bad: 'a b c' }]))
    const { results } = resultsOf(
      await evaluate(lmModel(fakeLm()), await load('blimp', join(directory, 'blimp.jsonl'))),
      [],
      0,
    )
    expect(results.blimp_blimp).toMatchObject({ 'acc,none': 1 })
  })
  it('texts', async () => {
    const [run] = await evaluate(lmModel(fakeLm()), await load('perplexity', file('text.txt', 'én to tre')))
    const { results } = resultsOf([run!], [], 0)
    // Nine characters of one nat each, in ten bytes and three words.
    expect(results.perplexity!['bits_per_byte,none']).toBeCloseTo(0.9 / Math.LN2, 12)
    expect(results.perplexity!['word_perplexity,none']).toBeCloseTo(Math.exp(3), 10)
  })
})

const CONLLU = `# text = Pigen så ikke den store hund.
1	Pigen	pige	NOUN	_	_	2	nsubj	_	_
2	så	se	VERB	_	_	0	root	_	_
3	ikke	ikke	ADV	_	_	2	advmod	_	_
4	den	den	DET	_	_	6	det	_	_
5	store	stor	ADJ	_	_	6	amod	_	_
6	hund	hund	NOUN	_	_	2	obj	_	SpaceAfter=No
7	.	.	PUNCT	_	_	2	punct	_	_

# text = Han gik
1-2	Han	_	_	_	_	_	_	_	_
1	Ha	_	PRON	_	_	2	nsubj	_	_
2	n	_	PART	_	_	3	nsubj	_	_
3	gik	gå	VERB	_	_	0	root	_	_
`

describe('ScaLA from a treebank', () => {
  it('reads sentences as they were written', () => {
    const sentences = readConllu(CONLLU, 'x.conllu')
    expect(sentences.map(detokenized)).toEqual(['Pigen så ikke den store hund.', 'Han gik'])
    expect(() => readConllu('just text', 'x.conllu')).toThrow('x.conllu: expected lines of CoNLL-U')
  })
  it('takes out one needed word or flips two unlike neighbours, and changes nothing else', () => {
    const [tokens] = readConllu(CONLLU, 'x.conllu')
    const made = new Set(Array.from({ length: 60 }, (_, seed) => corrupt(tokens!, new PythonRandom(seed))!.text))
    expect([...made].sort()).toEqual(
      [
        'så ikke den store hund.', // without its subject
        'Pigen ikke den store hund.', // without its verb
        'Pigen så ikke den store.', // without its object
        'Pigen så ikke store den hund.',
        'Pigen så ikke den hund store.',
      ].sort(),
    )
  })
  it('makes half of the sentences wrong, in the words of the language', async () => {
    const [sentence] = CONLLU.split('\n\n')
    const data = file('da_x-ud-dev.conllu', Array.from({ length: 12 }, () => sentence).join('\n\n'))
    const [task] = await load('scala', data, 1)
    expect(task!.docs.map(({ label }) => label)).toEqual(
      Array.from({ length: 9 }, (_, i) => (i % 2 === 1 ? 'correct' : 'incorrect')),
    )
    expect(task!.config.doc_to_choice).toEqual(['ja', 'nej'])
    expect(task!.shots).toHaveLength(3)
  })
})
