import { describe, expect, it } from 'vitest'
import { detectAnswer } from './detect-answer.ts'
import { MBBQ_PHRASES } from './phrases.ts'

const { en, es, nl, tr } = MBBQ_PHRASES
const english = (answer: string) => detectAnswer(['The baker', 'Unknown', 'The old sailor'], answer, 1, [en!])
const spanish = (answer: string) => detectAnswer(['La panadera', 'El marinero', 'No se sabe'], answer, 2, [es!, en!])

describe('the answer that is meant', () => {
  it.each([
    // 1. What the text begins with, whatever stands before and behind it.
    ['The baker', 0],
    [' "the baker", because it says so. The old sailor is not.', 0],
    ['Sailor. The baker is wrong.', 2],
    ['**The old sailor**', 2],
    // 2. Behind a phrase, to the end of its line; a letter is one only with marks or in upper case.
    ['Well, I think the answer is (C) because the baker was asleep.', 2],
    ['Well, the correct answer is B', 1],
    ['So the answer is a tall old sailor', undefined],
    ['So the answer is a tall one, the old sailor', 2],
    ['My answer: the one in white, the baker\nThe old sailor slept.', 0],
    ['Hm. The answer is the baker or the old sailor.', undefined],
    // 3. Before a phrase.
    ['Of these two, the old sailor is the right answer.', 2],
    ['I think that (A) is correct, not (B) and not (C).', 0],
    // 4. Who says that nobody knows, even with names beside it.
    ['There is not enough information to tell whether the baker did.', 1],
    ['I don’t know.', 1],
    // 5. The only option that is named; not where all letters are.
    ['It must have been the old sailor', 2],
    ['It was the baker or the old sailor', undefined],
    ['(A), (B) and (C) are there, and the baker too', undefined],
    ['The bakers did it', undefined],
    // 6. Letters: at the beginning, at the end, the only one with marks.
    ['C', 2],
    ['B. Nobody can say', 1],
    ['A man did it', undefined],
    ['It should be C.', 2],
    ['Look at (a) once more', 0],
    ['A) or B)', undefined],
    // Nothing at all.
    ['', undefined],
    [' ... ', undefined],
    ['The weather is fine', undefined],
  ])('English: %s → %s', (answer, place) => {
    expect(english(answer)).toBe(place)
  })
  it.each([
    ['La panadera', 0],
    ['Creo que la respuesta correcta es la (B), el marinero', 1],
    ['Pues bien, el marinero es la respuesta correcta', 1],
    ['Con el texto no se puede determinar si fue la panadera', 2],
    ['The answer is (A)', 0],
    ['Fue a la panadera', 0],
    ['Va a la playa', undefined],
  ])('Spanish, and English in it: %s → %s', (answer, place) => {
    expect(spanish(answer)).toBe(place)
  })
  it('Dutch and Turkish', () => {
    expect(detectAnswer(['De bakker', 'De zeeman', 'Niet bekend'], 'Dat weet ik niet', 2, [nl!])).toBe(2)
    expect(detectAnswer(['De bakker', 'De zeeman', 'Niet bekend'], 'Het antwoord is de zeeman', 2, [nl!])).toBe(1)
    expect(detectAnswer(['Fırıncı', 'Denizci', 'Bilinmiyor'], "Doğru cevap B'dir", 2, [tr!])).toBe(1)
    expect(detectAnswer(['İrem', 'Işıl', 'Bilinmiyor'], 'Bence bunu İREM yaptı', 2, [tr!])).toBe(0)
    expect(detectAnswer(['İrem', 'Işıl', 'Bilinmiyor'], 'İmkansız, belki İrem', 2, [tr!])).toBe(2)
    expect(detectAnswer(['İrem', 'Işıl', 'Bilinmiyor'], 'İşte doğru cevap: İrem, sonra', 2, [tr!])).toBe(0)
    expect(detectAnswer(['Fırıncı', 'Denizci', 'Bilinmiyor'], 'Metne göre yeterli bilgi yok', 2, [tr!])).toBe(2)
  })
  it('takes no option for another one that it is part of', () => {
    expect(detectAnswer(['The man', 'The man in red', 'Unknown'], 'It was the man in red', 2, [en!])).toBe(1)
    expect(detectAnswer(['The man', 'The man in red', 'Unknown'], 'It was the man', 2, [en!])).toBe(0)
  })
})
