// "Did you mean …?" for commands, options and configuration keys.

const LONGEST_WORD = 64

/** Edits (insert, delete, replace, swap neighbours) that turn `a` into `b`: optimal string alignment distance. */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replace = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      let best = Math.min(replace, previous[column]! + 1, current[column - 1]! + 1)
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) best = Math.min(best, beforePrevious[column - 2]! + 1)
      current.push(best)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.length]!
}

/** The candidate closest to `word`, if it is close enough to be a slip of the keyboard or a shortened form. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > LONGEST_WORD) return undefined
  const wanted = plain(word)
  let best: string | undefined
  let bestDistance = Math.min(3, Math.max(1, Math.floor(wanted.length / 3))) + 1
  for (const candidate of candidates) {
    const known = plain(candidate)
    const isShortened = wanted.length >= 4 && (known.startsWith(wanted) || known.endsWith(wanted))
    const distance = isShortened ? Math.min(1.5, editDistance(wanted, known)) : editDistance(wanted, known)
    // Nothing in common is no slip: 5 is not a misspelt 2.
    if (distance < bestDistance && distance < Math.max(wanted.length, known.length)) {
      bestDistance = distance
      best = candidate
    }
  }
  return best
}

/** The end of an error sentence: ` Did you mean 'x'?`, or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>, prefix = ''): string {
  const found = nearest(word, candidates)
  return found === undefined ? '' : ` Did you mean '${prefix}${found}'?`
}

// `--Learning-Rate`, `learningRate` and `learning_rate` are the same word to a person.
function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, '')
}
