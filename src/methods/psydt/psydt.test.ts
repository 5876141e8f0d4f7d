import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../errors.ts'
import { PythonRandom } from '../../eval/python-random.ts'
import { type Hold, type Model, modelOf } from '../../prompting/base/model.ts'
import { rule } from '../../prompting/execute/rule.ts'
import { Refused, type RowTools } from '../../synth/recipe.ts'
import { resistanceAfter, resistanceAtFirst } from './agents.ts'
import { type Case, CaseStore } from './cases.ts'
import { faultOfForm } from './check-dialogue.ts'
import { foreignShare } from './foreign-share.ts'
import { KnowledgeBase, readKnowledge, therapies } from './knowledge.ts'
import { longestShared, unitsOf } from './longest-shared.ts'
import { type PsydtOptions, type PsydtRow, psydt, systemPrompt } from './psydt.ts'
import { readDialogue } from './read-dialogue.ts'
import type { SingleTurn } from './single-turns.ts'
import { readLines, type Turn, writeLines } from './turns.ts'
import { PSYDT_WORDINGS } from './wordings.ts'

const turnsOf = (...texts: string[]): Turn[] =>
  texts.map((text, i) => ({ speaker: i % 2 === 0 ? 'client' : 'counsellor', text }))
const caseOn = (topic: string): Case => ({
  id: `case of ${topic}`,
  topic,
  turns: turnsOf(
    `My ${topic} keeps me awake at night.`,
    'Well now, what goes through your mind when the house is quiet and the clock says three in the morning?',
  ),
})
const cases = new CaseStore([caseOn('work'), caseOn('family')])
const record = (id: string, topic?: string): SingleTurn => ({
  id,
  ...(topic !== undefined && { topic }),
  title: `How do I deal with ${topic}?`,
  detail: `I hardly sleep, says question ${id}.`,
  answer: 'Make a list of the tasks that weigh on you and choose the smallest of them for tomorrow morning.',
})
/** A dialogue that nothing is wrong with. */
const GOOD = turnsOf(
  'I hardly sleep.',
  'Well now, tell me of last night.',
  'I lay there and counted.',
  'What did you count?',
)
const PROFILE = {
  openness: 'low',
  conscientiousness: 'medium',
  extraversion: 'high',
  agreeableness: 'low',
  neuroticism: 'high',
}

type Answers = Partial<Record<'style' | 'therapy' | 'profile' | 'dialogue', string | ((prompt: string) => string)>>
const kindOf = (prompt: string): keyof Answers => {
  if (prompt.includes('<record>')) return 'dialogue'
  if (prompt.includes('<problem>')) return 'profile'
  return prompt.includes('rebt') ? 'therapy' : 'style'
}
/** A teacher that is told what to say to each kind of prompt; `asked` has what it was asked, in order. */
function teacher(answers: Answers = {}, holds: Hold = 'none'): { model: Model; asked: string[]; prompts: string[] } {
  const [asked, prompts]: [string[], string[]] = [[], []]
  const said: Required<Answers> = {
    style: 'Begins with "Well now". Asks short questions.',
    therapy: '{"type": "rebt"}',
    profile: JSON.stringify(PROFILE),
    dialogue: writeLines(GOOD, 'en'),
    ...answers,
  }
  const model = modelOf({
    name: 'told',
    holds,
    async *answer({ messages }) {
      const prompt = String(messages.at(-1)!.content)
      const kind = kindOf(prompt)
      asked.push(kind)
      prompts.push(prompt)
      const answer = said[kind]
      const text = typeof answer === 'string' ? answer : answer(prompt)
      yield {
        deltas: [{ type: 'text', text }],
        tokenIds: [],
        finishReason: 'stop',
        usage: { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 },
      }
    },
  })
  return { model, asked, prompts }
}

/** The smallest thing that runs a recipe: three tries, refusals kept. */
async function run(options: Partial<PsydtOptions>, records: readonly SingleTurn[], model: Model) {
  const recipe = psydt({ cases, language: 'en', turns: [2, 4], ...options })
  const rejects: string[] = []
  const toolsOf = (seed: number): RowTools => ({
    model,
    random: new PythonRandom(seed),
    signal: new AbortController().signal,
    async attempt(make) {
      const refused: Refused[] = []
      for (;;)
        try {
          return await make(refused)
        } catch (error) {
          if (!(error instanceof Refused)) throw error
          refused.push(error)
          if (refused.length === 3) throw error
        }
    },
  })
  const shared = await recipe.prepare!(toolsOf(0))
  const rows: PsydtRow[] = []
  for (const [i, one] of records.entries())
    try {
      rows.push(await recipe.make(one, toolsOf(i + 1), shared))
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      rejects.push(error.message)
    }
  expect(rows.length + rejects.length).toBe(records.length)
  return { rows, rejects, recipe }
}

describe('psydt', () => {
  it('asks in the order of Algorithm 1: style and therapy of each case, then profile and dialogue of each record', async () => {
    const { model, asked, prompts } = teacher()
    const many = new CaseStore(Array.from({ length: 12 }, (_, i) => caseOn(`topic ${i}`)))
    const records = Array.from({ length: 50 }, (_, i) => record(`${i}`, `Topic_${i % 12}`))
    const { rows } = await run({ cases: many }, records, model)
    expect(rows).toHaveLength(50)
    // Both of a case once, in any order, and all before the first record.
    const ofCases = asked.slice(0, 24).map((kind, i) => `${kind} of ${/My (topic \d+) keeps/.exec(prompts[i]!)![1]}`)
    expect(ofCases.sort()).toEqual(
      many.cases.flatMap(({ topic }) => [`style of ${topic}`, `therapy of ${topic}`]).sort(),
    )
    expect(asked.slice(24)).toEqual(Array.from({ length: 50 }, () => ['profile', 'dialogue']).flat())
    // TopicMatch: the one example is the case of the record's topic.
    for (const [i, row] of rows.entries()) {
      expect(row.provenance).toMatchObject({
        case: `case of topic ${i % 12}`,
        seed: `${i}`,
        match: 'topic',
        teacher: 'told',
      })
      const dialogue = prompts[24 + 2 * i + 1]!
      expect(dialogue).toContain(`My topic ${i % 12} keeps`)
      expect(dialogue.match(/<case>/g)).toHaveLength(1)
    }
  })

  it('has the slots of the paper in their order', async () => {
    for (const language of ['en', 'zh'] as const) {
      const { model, prompts } = teacher({ style: language === 'zh' ? '爱问“后来呢”。' : 'Asks "and then?".' })
      await run({ language, foreign: 1 }, [record('a', 'work')], model)
      const prompt = prompts.at(-1)!
      const { slots, traits } = PSYDT_WORDINGS[language]
      const places = [
        prompt.indexOf('<case>'),
        prompt.indexOf('<style>'),
        prompt.indexOf(slots.role),
        prompt.indexOf(slots.emotion),
        prompt.indexOf('<stages>'),
        prompt.indexOf('<record>'),
        prompt.indexOf(traits.openness.low),
        prompt.indexOf(slots.lines),
      ]
      expect(places).not.toContain(-1)
      expect([...places].sort((a, b) => a - b)).toEqual(places)
      expect(prompt).not.toMatch(/\{(?!"dialogue)\w+\}/)
      expect(prompt).toContain(therapies(language).retrieve('rebt').stages[3])
    }
  })

  it('gives rows with the system prompt of 3.3, profile and provenance', async () => {
    const { rows } = await run({}, [record('a', 'WORK ')], teacher().model)
    const rebt = therapies('en').retrieve('rebt')
    expect(rows[0]).toEqual({
      id: 'a',
      topic: 'WORK ',
      messages: [
        { role: 'system', content: systemPrompt(rebt, PSYDT_WORDINGS.en) },
        ...GOOD.map(({ speaker, text }) => ({ role: speaker === 'client' ? 'user' : 'assistant', content: text })),
      ],
      profile: PROFILE,
      provenance: {
        recipe: 'psydt',
        mode: 'one-shot',
        case: 'case of work',
        seed: 'a',
        match: 'topic',
        therapy: 'rebt',
        teacher: 'told',
      },
    })
    for (const stage of rebt.stages) expect(rows[0]!.messages[0]!.content).toContain(stage)
  })

  it('leaves an element out of prompts and calls', async () => {
    const { model, asked, prompts } = teacher()
    const { rows } = await run({ without: ['style', 'technique', 'personality'] }, [record('a', 'work')], model)
    expect(asked).toEqual(['dialogue'])
    expect(prompts[0]).not.toMatch(/<style>|<stages>|<personality>/)
    expect(rows[0]!.messages[0]!.content).toBe(PSYDT_WORDINGS.en.systemRole)
    expect(rows[0]).not.toHaveProperty('profile')
  })

  it('says how a case was found where none is on the topic', async () => {
    const one = record('a', 'sleep')
    expect((await run({}, [one, record('b')], teacher().model)).rejects).toEqual([
      'no case on "sleep"; cases are on work, family',
      'a record without a topic; cases are on work, family',
    ])
    const near = { ...one, detail: 'My family is loud.' }
    const { rows } = await run({ match: 'nearest' }, [near, record('b', 'work')], teacher().model)
    expect(rows.map(({ provenance }) => [provenance.case, provenance.match])).toEqual([
      ['case of family', 'nearest'],
      ['case of work', 'topic'],
    ])
    expect(rows[0]!.provenance.score).toBeGreaterThan(0)
    const none = await run({ match: 'nearest' }, [{ ...one, title: 'Xyzzy?', detail: '' }], teacher().model)
    expect(none.rejects[0]).toContain('none that shares a word')
    const many = Array.from({ length: 40 }, (_, i) => record(`${i}`, 'work'))
    const drawn = (await run({ match: 'random' }, many, teacher().model)).rows.map(({ provenance }) => provenance.case)
    expect(new Set(drawn).size).toBe(2)
  })

  const say = (...texts: string[]): string => writeLines(turnsOf(...texts), 'en')
  const rounds = (n: number): string => say(...Array.from({ length: 2 * n }, (_, i) => `Number ${i} is said here.`))
  const [q, a] = ['I hardly sleep.', 'Tell me more of it.']
  const leak = 'What goes through your mind when the house is quiet and the clock says three?'
  it.each([
    ['no turns', 'Once upon a time there was a cat.', 'no turns'],
    [
      'roles',
      `Client: ${q}\nClient: ${q}\nCounsellor: ${a}`,
      'roles that do not alternate: the client speaks twice in a row (turn 2)',
    ],
    ['a beginning', `Counsellor: ${a}\n${rounds(2)}`, 'a beginning by the counsellor'],
    ['an end', `${rounds(2)}\nClient: Bye.`, 'an end by the client'],
    ['too short', say(q, a), '1 turns of the client, not 2 to 4'],
    ['too long', rounds(5), '5 turns of the client, not 2 to 4'],
    ['nothing said', say(q, '…', 'Oh.', a), 'turn 2 says nothing'],
    ['a preamble', `Here it is:\n${rounds(2)}`, 'text before the first turn: "Here it is:"'],
    ['a rule line', `${rounds(2)}\n---\nI hope this helps!`, 'a line of signs'],
    ['repeated', say(q, a, 'And then?', a), 'turn 4 says the same as turn 2'],
    ['another script', say('我睡不着觉，很难受。', '你愿意多说一些吗？', 'Yes.', a), 'letters in another script'],
    ['the case', say(q, leak, 'Hm.', a), '15 words of the example case in a row, more than 12'],
    [
      'the answer',
      say(q, record('').answer, 'Hm.', 'Well.'),
      "100 % of the counsellor's words copied from the single-turn answer",
    ],
    [
      'another matter',
      say('The cat is fat.', 'Is it?', 'Yes, truly.', 'Why so?'),
      "another matter: 0 % of the question's words",
    ],
    ['bad JSON', '{"dialogue": [', 'no JSON'],
    ['other JSON', '{"dialogue": [{"cat": "meow"}]}', 'an entry 1 that is no turn'],
    ['nothing', '', 'an empty answer'],
  ])('refuses a dialogue for %s', async (_, dialogue, reason) => {
    const { model, prompts } = teacher({ dialogue })
    const { rejects } = await run({}, [record('a', 'work')], model)
    expect(rejects[0]).toContain(reason)
    // Each further try says what was refused.
    expect(prompts.filter((prompt) => prompt.includes('was refused'))).toHaveLength(2)
  })

  it('refuses what breaks a rule, or would be written anew by one', async () => {
    const rules = [
      rule('no pills', (text) => !text.includes('pills')),
      rule('no names', (text) => (text.includes('Bob') ? { rewrite: text.replace('Bob', 'X') } : undefined)),
    ]
    const dialogue = (word: string) =>
      writeLines([...GOOD.slice(0, 3), { speaker: 'counsellor', text: `Take ${word}.` }], 'en')
    const told = (word: string) => teacher({ dialogue: dialogue(word) }).model
    const refused = async (word: string, given?: PsydtOptions['rules']) =>
      (await run(given === undefined ? {} : { rules: given }, [record('a', 'work')], told(word))).rejects
    expect(await refused('pills', { counsellor: rules })).toEqual(["turn 4 breaks the rule 'no pills' (no pills)"])
    expect(await refused('Bob', { counsellor: rules })).toEqual(['turn 4 has what a rule would take out'])
    expect(await refused('pills', { client: rules })).toEqual([])
    // By default no advice on medicines, and no dialogue of somebody in danger, for which nobody is asked.
    expect(await refused('20 mg of fluoxetine')).toEqual([expect.stringContaining("breaks the rule 'no diagnosis'")])
    expect(await refused('20 mg of fluoxetine', { counsellor: [] })).toEqual([])
    const { model, asked } = teacher()
    const danger = { ...record('a', 'work'), detail: 'I want to kill myself tonight.' }
    const { rejects } = await run({}, [danger], model)
    expect(rejects).toEqual([expect.stringMatching(/^a question that breaks the rule 'crisis' \(acute: suicide/)])
    expect(asked.sort()).toEqual(['style', 'style', 'therapy', 'therapy'])
    const late = writeLines([{ ...GOOD[0]!, text: 'I want to kill myself.' }, ...GOOD.slice(1)], 'en')
    expect((await run({}, [record('a', 'work')], teacher({ dialogue: late }).model)).rejects[0]).toContain(
      "turn 1 breaks the rule 'crisis'",
    )
  })

  it('mends a refused dialogue when it is asked again', async () => {
    const dialogue = (prompt: string): string => (prompt.includes('was refused') ? writeLines(GOOD, 'en') : 'Once.')
    const { rows } = await run({}, [record('a', 'work')], teacher({ dialogue }).model)
    expect(rows).toHaveLength(1)
  })

  it('rejects every row with its reason where the teacher talks nonsense or not at all', async () => {
    const records = [record('a', 'work'), record('b', 'family')]
    const noType = await run({}, records, teacher({ therapy: 'a cat' }).model)
    expect(noType.rejects).toEqual(
      ['work', 'family'].map((topic) => expect.stringMatching(`no summary of the case case of ${topic}: .*no JSON`)),
    )
    const noProfile = await run({}, records, teacher({ profile: '{"openness": "huge"}' }).model)
    expect(noProfile.rejects).toHaveLength(2)
    expect(noProfile.rejects[0]).toContain('openness')
    expect((await run({}, records, teacher({ style: '' }).model)).rejects[0]).toContain('an empty answer')
    expect((await run({}, records, teacher({ style: '一只猫坐在垫子上。' }).model)).rejects[0]).toContain(
      'another language',
    )
  })

  it('ends where the run ends, and takes no case for refused by that', async () => {
    const spent = (prompt: string): string => {
      if (prompt.includes('rebt')) throw new Error('the budget is spent')
      return ''
    }
    const { model } = teacher({ style: '', therapy: spent })
    await expect(run({}, [record('a', 'work')], model)).rejects.toThrow('the budget is spent')
  })

  it('holds a teacher that can be held, which then cannot break the order of roles', async () => {
    const dialogue =
      '{"dialogue": [{"client": "I hardly sleep.", "counsellor": "Since when?"}, {"client": "May.", "counsellor": "Tell me."}]}'
    const { model, prompts } = teacher({ dialogue }, 'masks')
    const { rows } = await run({}, [record('a', 'work')], model)
    expect(rows[0]!.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user', 'assistant'])
    expect(prompts.at(-1)).toContain('Write JSON')
    const lines = teacher({}, 'masks')
    expect((await run({ form: 'lines' }, [record('a', 'work')], lines.model)).rows).toHaveLength(1)
  })

  it('refuses what was cut off, and what is no answer but a refusal', async () => {
    for (const [finishReason, reason] of [
      ['length', 'an end after 1 tokens, the most that were allowed'],
      ['content_filter', 'no answer but a refusal'],
    ] as const) {
      const { model } = teacher()
      const cut = modelOf({
        name: 'cut',
        holds: 'none',
        async *answer(call) {
          const isDialogue = String(call.messages.at(-1)!.content).includes('<record>')
          for await (const piece of model.answer(call)) yield isDialogue ? { ...piece, finishReason } : piece
        },
      })
      expect((await run({}, [record('a', 'work')], cut)).rejects).toEqual([reason])
    }
  })

  it('says what is too long for the teacher', async () => {
    const model = modelOf({ ...teacher().model, contextLength: 100, countTokens: (text) => text.length })
    expect((await run({}, [record('a', 'work')], model)).rejects[0]).toMatch(
      /a prompt of \d+ tokens, where the teacher reads 100/,
    )
  })

  it('never has more words of the case in a row than the limit', async () => {
    const vocabulary = cases.cases.flatMap(({ turns }) => turns.flatMap(({ text }) => unitsOf(text)))
    const words = fc.array(fc.constantFrom(...vocabulary), { minLength: 1, maxLength: 12 })
    const piece = fc.tuple(fc.nat(1), fc.nat(12), fc.integer({ min: 1, max: 8 }))
    const theirs = cases.cases[0]!.turns.map(({ text }) => unitsOf(text))
    const turn = fc
      .oneof(
        words,
        piece.map(([i, at, n]) => theirs[i]!.slice(at, at + n)),
      )
      .map((some) => some.join(' ') || 'So.')
    await fc.assert(
      fc.asyncProperty(fc.tuple(turn, turn, turn, turn), fc.integer({ min: 1, max: 6 }), async (texts, overlap) => {
        const dialogue = writeLines(turnsOf(...texts), 'en')
        const { rows } = await run({ overlap }, [record('a', 'work')], teacher({ dialogue }).model)
        const grams = new Set(
          theirs.flatMap((all) =>
            all
              .map((__, i) => all.slice(i, i + overlap + 1))
              .filter((some) => some.length > overlap)
              .map(String),
          ),
        )
        for (const { messages } of rows)
          for (const { content } of messages.slice(1)) {
            const units = unitsOf(content)
            for (let i = 0; i + overlap < units.length; i++)
              expect(grams.has(String(units.slice(i, i + overlap + 1)))).toBe(false)
          }
      }),
      { numRuns: 100 },
    )
  })

  it('works in Chinese', async () => {
    const [one] = [
      {
        id: '1',
        topic: '睡眠',
        turns: turnsOf('我睡不着。', '夜深人静的时候，你的脑子里会浮现出一些什么样的念头和画面呢？'),
      },
    ]
    const zh = new CaseStore([one!])
    const asked = {
      id: 's',
      topic: '睡眠',
      title: '失眠怎么办',
      detail: '每天很晚才睡。',
      answer: '睡前不要看手机，固定时间起床，白天多出去走一走，慢慢就会好起来的。',
    }
    const good = '来访者：我每天很晚才睡。\n咨询师：嗯，听上去很累。\n来访者：是的。\n咨询师：最近一次是什么时候？'
    const set = { cases: zh, language: 'zh' as const }
    const { rows } = await run(set, [asked], teacher({ style: '开头常说“嗯”。', dialogue: good }).model)
    expect(rows[0]!.messages.at(-1)).toEqual({ role: 'assistant', content: '最近一次是什么时候？' })
    const refused = async (dialogue: string) =>
      (await run({ ...set, turns: [1, 4] }, [asked], teacher({ style: '开头常说“嗯”。', dialogue }).model)).rejects[0]
    expect(await refused('来访者：嗯。\n咨询师：夜深人静的时候，你的脑子里会浮现出一些什么样的念头呢？')).toMatch(
      /^2\d words of the example case/,
    )
    expect(await refused(`来访者：嗯。\n咨询师：${asked.answer}`)).toContain('copied from the single-turn answer')
    expect(await refused('来访者：嗯。\n咨询师：I see, please tell me more about that night.')).toContain(
      'another script',
    )
  })

  it('is another synthesis with other cases, wordings or limits, and says all of it as JSON', () => {
    const setup = (options: Partial<PsydtOptions>): string =>
      JSON.stringify(psydt({ cases, language: 'en', ...options }).setup)
    const all = [
      {},
      { cases: new CaseStore([caseOn('work')]) },
      { overlap: 3 },
      { language: 'zh' as const },
      { without: ['style' as const] },
      { rules: { client: [rule('a', () => true)] } },
      { wordings: { systemRole: 'You listen.' } },
    ]
    expect(new Set(all.map(setup)).size).toBe(all.length)
    expect(setup({})).toContain('keeps me awake')
  })

  it('refuses options that cannot be', () => {
    const make = (options: object) => () => psydt({ cases, language: 'en', ...options })
    for (const wrong of [
      { language: 'fr' },
      { mode: 'two' },
      { turns: [4, 2] },
      { turns: [0, 3] },
      { overlap: 0 },
      { foreign: 2 },
      { without: ['all'] },
      { form: 'xml' },
      { match: 'any' },
    ])
      expect(make(wrong), JSON.stringify(wrong)).toThrow(UsageError)
    expect(make({ case: cases })).toThrow("got 'case'. Did you mean 'cases'?")
  })
})

describe('agents', () => {
  /** Answers by what is asked: the client's deed is the counsellor's last turn's first word. */
  const pair = (counsellor: (prompt: string, n: number) => string, deed: string) => {
    const prompts: string[] = []
    let n = 0
    const model = modelOf({
      name: 'pair',
      holds: 'none',
      async *answer({ messages }) {
        const prompt = String(messages.at(-1)!.content)
        prompts.push(prompt)
        n++
        const text = prompt.includes('LISTEN')
          ? counsellor(prompt, n)
          : prompt.includes('<said>')
            ? JSON.stringify({ counsellor: deed, reply: `Client says thing ${n} now.` })
            : prompt.includes('<problem>') && !prompt.includes('Big Five')
              ? 'I begin with something.'
              : prompt.includes('<problem>')
                ? JSON.stringify(PROFILE)
                : prompt.includes('rebt')
                  ? '{"type": "rebt"}'
                  : 'Calm.'
        yield {
          deltas: [{ type: 'text', text }],
          tokenIds: [],
          finishReason: 'stop',
          usage: { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 },
        }
      },
    })
    return { model, prompts }
  }
  const wordings = { agents: { ...PSYDT_WORDINGS.en.agents, role: 'LISTEN.' } }
  const set = { mode: 'agents' as const, wordings, turns: [4, 8] as const }
  const speak = (_: string, n: number): string => `Counsellor says thing ${n} now.`

  it('moves resistance by what the counsellor does', () => {
    const profile = (neuroticism: 'low' | 'high', agreeableness: 'low' | 'high') =>
      ({ ...PROFILE, neuroticism, agreeableness }) as never
    expect(
      [undefined, profile('high', 'low'), profile('low', 'high'), profile('low', 'low')].map(resistanceAtFirst),
    ).toEqual([2, 4, 0, 2])
    const moved = (resistance: number, stage: number) =>
      (['understood', 'asked', 'explained', 'challenged', 'advised', 'ignored'] as const).map((deed) =>
        resistanceAfter(deed, resistance, stage),
      )
    expect(moved(2, 0)).toEqual([1, 2, 2, 2, 3, 4])
    expect(moved(3, 1)).toEqual([2, 3, 3, 4, 3, 4])
    expect(moved(0, 1)).toEqual([0, 0, 0, 0, 0, 2])
  })

  it('goes through the stages once the client goes along, and not before', async () => {
    const open = await run(set, [record('a', 'work')], pair(speak, 'understood').model)
    const { hidden, messages } = open.rows[0]!
    // Guarded and anxious: 4, then down by one with each turn.
    expect(hidden!.resistance.slice(0, 4)).toEqual([4, 3, 2, 1])
    expect(hidden!.deeds.slice(0, 2)).toEqual([null, 'understood'])
    expect(hidden!.stages.at(-1)).toBe(3)
    expect(hidden!.stages).toHaveLength((messages.length - 1) / 2)
    const shut = await run(set, [record('a', 'work')], pair(speak, 'ignored').model)
    expect(shut.rows[0]!.hidden!.stages).toEqual(Array(8).fill(0))
  })

  it('keeps the client’s state from the counsellor, and ends with a farewell', async () => {
    const { model, prompts } = pair(speak, 'understood')
    await run(set, [record('a', 'work')], model)
    const counsellor = prompts.filter((prompt) => prompt.includes('LISTEN'))
    for (const prompt of counsellor) expect(prompt).not.toMatch(/says question a|Big Five|you doubt that/)
    expect(counsellor.filter((prompt) => prompt.includes(wordings.agents.closing))).toEqual([counsellor.at(-1)])
  })

  it('asks again for a turn alone, and rejects what stays wrong', async () => {
    const once = pair(
      (prompt, n) => (prompt.includes('was refused') ? speak(prompt, n) : 'Client: I do it myself.'),
      'asked',
    )
    expect((await run(set, [record('a', 'work')], once.model)).rows).toHaveLength(1)
    const same = await run(set, [record('a', 'work')], pair(() => 'And how did that feel?', 'asked').model)
    expect(same.rejects).toEqual(['turn 4 says the same as turn 2'])
  })
})

describe('what is read and compared', () => {
  it('reads lines with any names, in bold, over several lines', () => {
    const text = '**Client:** Hello.\nIt is me.\n\nTherapist: Yes?\n来访者：你好\n心理咨询师: 嗯'
    expect(readDialogue(text).map(({ speaker, text: said }) => [speaker, said])).toEqual([
      ['client', 'Hello.\nIt is me.'],
      ['counsellor', 'Yes?'],
      ['client', '你好'],
      ['counsellor', '嗯'],
    ])
    expect(readLines('no names').turns).toEqual([])
  })
  it('reads JSON of rounds and of messages, between fences', () => {
    const two = [
      { speaker: 'client', text: 'A' },
      { speaker: 'counsellor', text: 'B' },
    ]
    expect(readDialogue('```json\n{"dialogue": [{"client": "A", "counsellor": "B"}]}\n```')).toEqual(two)
    expect(readDialogue('[{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}]')).toEqual(two)
    expect(readDialogue('[{"来访者": "A"}, {"咨询师": "B"}]')).toEqual(two)
    expect(() => readDialogue('[{"role": "cat", "content": "A"}]')).toThrow(Refused)
    expect(() => readDialogue('{"a": 1}')).toThrow('JSON without a list of turns')
  })
  it('writes what it reads', () => {
    const word = fc.stringMatching(/^[a-z]{1,8}( [a-z]{1,8}){0,3}$/)
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 9 }),
        fc.constantFrom('zh' as const, 'en' as const),
        (texts, language) => {
          expect(readDialogue(writeLines(turnsOf(...texts), language))).toEqual(turnsOf(...texts))
        },
      ),
    )
  })
  it('finds the longest run of words that both have', () => {
    const run = (one: string, other: string) => longestShared(turnsOf(one), turnsOf(other)).join(' ')
    expect(run('we went over the hill and far away', 'Over the hill, and home again')).toBe('over the hill and')
    expect(run('一二三四五', '九三四五六')).toBe('三 四 五')
    expect(run('a b', 'c d')).toBe('')
    expect(run('a a a b', 'a a b')).toBe('a a b')
  })
  it('finds it as plain loops do, and where one word comes 100,000 times', () => {
    const turns = fc.array(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 }), { maxLength: 4 })
    const asTurns = (some: readonly (readonly string[])[]): Turn[] =>
      some.map((words) => ({ speaker: 'client', text: words.join(' ') }))
    fc.assert(
      fc.property(turns, turns, (some, others) => {
        let most: readonly string[] = []
        for (const words of some)
          for (let end = 1; end <= words.length; end++)
            for (let from = 0; from < end - most.length; from++) {
              const run = words.slice(from, end)
              if (others.some((other) => ` ${other.join(' ')} `.includes(` ${run.join(' ')} `))) most = run
            }
        expect(longestShared(asTurns(some), asTurns(others))).toEqual(most)
      }),
    )
    const [many] = [asTurns([Array.from({ length: 100_000 }, () => 'a')])]
    expect(longestShared(many, [...many])).toHaveLength(100_000)
  })
  it('refuses JSON of 100,000 levels', () => {
    expect(() => readDialogue('['.repeat(100_000) + ']'.repeat(100_000))).toThrow(Refused)
  })
  it('takes 100,000 cases of one topic', () => {
    const many = Array.from({ length: 100_000 }, (_, i): Case => ({ id: `${i}`, topic: 'sleep', turns: [] }))
    expect(new CaseStore(many).of('Sleep').map(({ id }) => id)).toEqual(many.map(({ id }) => id))
  })
  it('tells scripts apart', () => {
    expect(foreignShare('你好OK吗app', 'zh')).toBeCloseTo(2 / 5)
    expect(foreignShare('Zoë said нет', 'en')).toBeCloseTo(3 / 10)
    expect(foreignShare('123 …', 'en')).toBe(0)
  })
  it('wants a client first and a counsellor last', () => {
    expect(faultOfForm(GOOD, [2, 2])).toBeUndefined()
    expect(faultOfForm(GOOD.slice(0, 3), [1, 9])).toContain('an end by the client')
  })
})

describe('the knowledge base', () => {
  it('has the ten types of the paper in both languages, each with stages', () => {
    const [en, zh] = [therapies('en'), therapies('zh')]
    expect(en.types).toHaveLength(10)
    expect(zh.types).toEqual(en.types)
    expect(en.therapies.map(({ stages, school }) => [stages.length, school])).toEqual(
      zh.therapies.map(({ stages, school }) => [stages.length, school]),
    )
    expect(en.retrieve('rebt').stages).toHaveLength(4)
    expect(() => en.retrieve('gestalt')).toThrow('type: expected psychoanalysis,')
  })
  it('is read from a file of one’s own, and said where that is wrong', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'psydt-'))
    const write = (text: string): string => {
      const path = join(folder, 'kb.jsonl')
      writeFileSync(path, text)
      return path
    }
    const own = await readKnowledge(write('{"type": "gestalt", "stages": ["Notice."]}\n'))
    expect(own.retrieve('gestalt')).toEqual({
      type: 'gestalt',
      name: 'gestalt',
      school: '',
      about: '',
      stages: ['Notice.'],
    })
    await expect(readKnowledge(write('{"type": "x", "stages": []}\n'))).rejects.toThrow(
      /kb\.jsonl:1, field 'stages': expected a list/,
    )
    await expect(readKnowledge(write('{"stages": ["a"]}\n'))).rejects.toThrow(
      "field 'type': expected a text, got nothing",
    )
    expect(() => new KnowledgeBase([])).toThrow('at least one')
  })
})
