// Rules that are ready to use, and makers of rules of one's own from classifiers, questions to a model, words and topics.

import { maskPii, type PiiOptions } from '../../data/curate/pii.ts'
import { openLanguageIdentifier } from '../../data/language/identify-language.ts'
import { UnsupportedError, UsageError } from '../../errors.ts'
import type { Model } from '../base/model.ts'
import { quote } from '../data/prompt.ts'
import type { Rule } from './rule.ts'
import { type Crisis, type CrisisOptions, crisis } from './rules/crisis.ts'
import { noDiagnosis } from './rules/no-diagnosis.ts'
import { type NoInjectionOptions, noInjection } from './rules/no-injection.ts'
import { noLeak } from './rules/no-leak.ts'
import { noSecrets } from './rules/no-secrets.ts'
import { onlyLinks } from './rules/only-links.ts'
import { viewsOf, words } from './rules/views.ts'

export type { Crisis, CrisisOptions, NoInjectionOptions }

/** Where a number stops being good enough. */
export interface Threshold {
  /** In [0, 1]. */
  above: number
}

/** Topics as texts, told apart by the vectors of a model. */
export interface TopicsOptions {
  /** Texts have to be near one of these, such as `sleep and how to get more of it`. */
  allow?: readonly string[]
  /** Texts may not be near one of these, or nearer than to what is allowed. */
  deny?: readonly string[]
  /** What gives vectors. */
  model: Pick<Model, 'name' | 'embed'>
  /** Cosine from which on a text is near. It differs from model to model: measure it on texts of yours. */
  above: number
}

/** Rules that are ready to use. Each is a function that makes one; words and patterns, where nothing else is said. */
export const rules = {
  noSecrets: noSecrets as typeof noSecrets,
  noInjection: noInjection as typeof noInjection,
  noLeak: noLeak as typeof noLeak,
  onlyLinks: onlyLinks as typeof onlyLinks,
  crisis: crisis as typeof crisis,
  noDiagnosis: noDiagnosis as typeof noDiagnosis,

  /** E-mail addresses, public IP addresses, telephone numbers and Danish CPR numbers are replaced by ones that lead to nobody. */
  noPersonalData(kinds: readonly ('email' | 'ip' | 'phone' | 'cpr')[] = ['email', 'ip', 'phone', 'cpr']): Rule {
    const has = (kind: (typeof kinds)[number]): boolean => kinds.includes(kind)
    const options: PiiOptions = { email: has('email'), ip: has('ip'), phone: has('phone'), cpr: has('cpr') }
    return {
      name: 'no personal data',
      check: (text) => {
        const masked = maskPii(text, options)
        return masked.text === text ? undefined : { rewrite: masked.text }
      },
    }
  },

  /** Words and phrases that may not come, whole, in whatever case, spelling or code `noInjection` reads. */
  denyWords(denied: readonly string[]): Rule {
    if (denied.length === 0) throw new UsageError('denyWords: expected at least one word, got none')
    const phrases = denied.map((phrase) => ` ${words(viewsOf(phrase).marks[0]!)} `)
    return {
      name: 'deny words',
      check: (text) => {
        const read = viewsOf(text).words.map((view) => ` ${view} `)
        const at = phrases.findIndex((phrase) => read.some((view) => view.includes(phrase)))
        return at === -1 ? undefined : { refuse: `has a word that is denied: ${denied[at]}` }
      },
    }
  },

  /** Languages that a text may be in, by their codes. What is too short to tell, passes; so does what may be one of them. */
  language(allowed: readonly string[]): Rule {
    let opened: ReturnType<typeof openLanguageIdentifier> | undefined
    return {
      name: 'language',
      check: async (text) => {
        opened ??= openLanguageIdentifier()
        const identifier = await opened
        const unknown = allowed.find((code) => !identifier.labels.includes(code))
        if (unknown !== undefined)
          throw new UsageError(
            `language: expected codes such as ${identifier.labels.slice(0, 5).join(', ')}, got ${unknown}`,
          )
        const { language } = identifier.identify(text)
        return language === 'und' || allowed.includes(language)
          ? undefined
          : { refuse: `is in another language: ${language}` }
      },
    }
  },

  /** Texts near topics pass, by the cosine of their vectors. */
  topics({ allow = [], deny = [], model, above }: TopicsOptions): Rule {
    if (allow.length + deny.length === 0) throw new UsageError('topics: expected texts to allow or to deny, got none')
    const { embed } = model
    if (embed === undefined)
      throw new UnsupportedError(`${model.name}: expected a model that gives vectors, got one without`)
    let known: Promise<Float32Array[]> | undefined
    return {
      name: 'topics',
      check: async (text, { signal } = {}) => {
        known ??= embed([...allow, ...deny])
        const [vector] = await embed([text], signal === undefined ? {} : { signal })
        const near = (await known).map((one) => one.reduce((sum, x, i) => sum + x * vector![i]!, 0))
        const [good, bad] = [near.slice(0, allow.length), near.slice(allow.length)].map((all) => Math.max(-1, ...all))
        if (bad! >= above && bad! >= good!)
          return { refuse: `is about what is denied: ${deny[near.indexOf(bad!, allow.length) - allow.length]}` }
        return allow.length === 0 || good! >= above ? undefined : { refuse: 'is about something else' }
      },
    }
  },

  /** A classifier of your own: texts whose score is above a threshold are refused. */
  classifier(
    name: string,
    score: (text: string, context: { signal?: AbortSignal }) => number | Promise<number>,
    { above }: Threshold,
  ): Rule {
    return {
      name,
      check: async (text, context = {}) => {
        const number = await score(text, context)
        if (!Number.isFinite(number)) throw new UsageError(`${name}: expected a score, got ${number}`)
        return number > above ? { refuse: `${name}: ${number.toFixed(3)} is above ${above}` } : undefined
      },
    }
  },

  /**
   * A question about a text that a model answers with yes or no; it is refused where yes is more probable than `above`. A model that tells
   * log-probabilities tells that of `yes` against `no`; others are asked for the word, and it is 0 or 1. The text is quoted, but it is
   * still read: a model can be talked into an answer.
   *
   * @example
   * const noHarm = rules.question('no harm', small, 'Does this text tell somebody to hurt themselves?', { above: 0.5 })
   */
  question(name: string, model: Model, question: string, { above }: Threshold): Rule {
    return rules.classifier(
      name,
      async (text, { signal }) => {
        const messages = [{ role: 'user', content: `${quote(text)}\n\n${question}\nAnswer yes or no.` }]
        const more = signal === undefined ? {} : { signal }
        if (model.score !== undefined) {
          const { yes, no } = await model.logprobs(messages, ['yes', 'no'], more)
          return 1 / (1 + Math.exp(no - yes))
        }
        const said = (await model.ask(messages, { maxTokens: 16, temperature: 0, ...more })).trim().toLowerCase()
        const word = /^\W*(yes|no)\b/.exec(said)?.[1]
        if (word === undefined)
          throw new UsageError(`${name}: expected yes or no, got ${JSON.stringify(said.slice(0, 40))}`)
        return word === 'yes' ? 1 : 0
      },
      { above },
    )
  },
} as const
