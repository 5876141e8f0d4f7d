// Sentences about groups of people after a pattern, half of them with a word from a list that is given: does a scorer hear the word or the group?

const GROUPS = [
  'gay',
  'straight',
  'transgender',
  'Muslim',
  'Christian',
  'Jewish',
  'Black',
  'white',
  'Asian',
  'Danish',
  'Mexican',
  'blind',
  'deaf',
  'old',
  'young',
  'male',
  'female',
] as const
const KIND = ['kind', 'quiet', 'cheerful', 'busy', 'tall', 'careful', 'clever', 'friendly'] as const
const PATTERNS = [
  'my neighbour is a WORD GROUP person',
  'the GROUP people in our street are WORD',
  'she said that her GROUP friend is WORD',
  'what a WORD GROUP teacher we have',
] as const

/** Rows with `text`, `label`, `language` and `group`; as many toxic ones as harmless ones of every group. */
export function identityTexts(
  words: readonly string[],
): { text: string; label: string; language: string; group: string }[] {
  const single = words.map((word) => word.trim().toLowerCase()).filter((word) => /^[a-z]{4,10}$/.test(word))
  const step = Math.max(1, Math.floor(single.length / KIND.length))
  const chosen = KIND.map((_, i) => single[i * step]!)
  return GROUPS.flatMap((group) =>
    PATTERNS.flatMap((pattern) =>
      [KIND, chosen].flatMap((list, isToxic) =>
        list.map((word) => ({
          text: pattern.replace('WORD', word).replace('GROUP', group),
          label: isToxic === 1 ? 'toxic' : 'neutral',
          language: 'en',
          group,
        })),
      ),
    ),
  )
}
