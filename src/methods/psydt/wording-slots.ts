// What this method has to say to a teacher, as the languages say it: the slots of its prompts, and what each is filled with.

/** The Big Five by their first letters: OCEAN. */
export const TRAITS = ['openness', 'conscientiousness', 'extraversion', 'agreeableness', 'neuroticism'] as const
/** One of them. */
export type Trait = (typeof TRAITS)[number]
/** How much of a trait somebody has. */
export const LEVELS = ['low', 'medium', 'high'] as const
/** One of them. */
export type Level = (typeof LEVELS)[number]

/** What a counsellor can do in a turn, as a client feels it. */
export const DEEDS = ['understood', 'asked', 'explained', 'challenged', 'advised', 'ignored'] as const
/** One of them. */
export type Deed = (typeof DEEDS)[number]

/** What is said in one language. */
export interface PsydtWordings {
  /** LingStyPrompt: how a counsellor talks. `{case}`. */
  readonly style: string
  /** TheTypePrompt: which therapy a case is of. `{types}`, `{case}`. */
  readonly therapy: string
  /** A line of `{types}`: `{type}`, `{name}`, `{about}`. */
  readonly typeLine: string
  /** CliPerPrompt: the client's Big Five. `{problem}`. */
  readonly profile: string
  /** MultiTurnPrompt, slot by slot; slots that are left out take their text with them. */
  readonly slots: {
    /** `{topic}`, `{case}`. */
    readonly case: string
    /** `{style}`. */
    readonly style: string
    readonly role: string
    readonly emotion: string
    /** `{name}`, `{about}`, `{stages}`. */
    readonly strategy: string
    /** `{record}`. */
    readonly record: string
    /** `{personality}`. */
    readonly personality: string
    /** `{min}`, `{max}`. */
    readonly response: string
    /** How the dialogue is written: lines, or JSON. */
    readonly lines: string
    readonly json: string
  }
  /** Behind a prompt whose answer was refused. `{reasons}`. */
  readonly again: string
  /** The parts of a single turn: `{topic}`, `{title}`, `{detail}`, `{answer}`. */
  readonly record: string
  readonly problem: string
  /** How somebody is who has so much of a trait. */
  readonly traits: Readonly<Record<Trait, Readonly<Record<Level, string>>>>
  /** The system prompt of a row: `{role}` alone without a therapy; with one `{name}` and `{stages}`. */
  readonly systemRole: string
  readonly systemStages: string
  /** The two of `mode: agents`. */
  readonly agents: {
    /** In the place of the slot `role`. */
    readonly role: string
    /** `{problem}`, `{personality}`, `{resistance}`, `{stage}`, `{said}`. */
    readonly client: string
    /** The client's first words: `{problem}`, `{personality}`, `{resistance}`. */
    readonly opening: string
    /** Without its slots: `{stage}`, `{said}`. */
    readonly counsellor: string
    /** The counsellor's last words. */
    readonly closing: string
    /** How a client is at resistance 0 to 4. */
    readonly resistance: readonly string[]
  }
}
