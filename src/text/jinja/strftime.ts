// Python's `datetime.now().strftime(format)` in the C locale: all directives of the C library, with its flags and widths.

import { checked, checkLength } from './budget.ts'

const MONTHS = 'January February March April May June July August September October November December'.split(' ')
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')

/** What a directive writes: a number with how it is filled up, or a text. */
type Field = string | readonly [value: number, width: number, fill: '0' | ' ']

/** A time by a format, in local time; a code that is none stays as it is. */
export function strftime(time: Date, format: string): string {
  let length = 0
  const text = format.replace(/%([-_0^#]*)(\d*)([a-zA-Z%])/g, (code, flags: string, width: string, letter: string) => {
    length += Number(width)
    checkLength(length)
    const field = fieldOf(time, letter)
    return field === undefined ? code : written(field, flags, Number(width))
  })
  return checked(text)
}

function written(field: Field, flags: string, width: number): string {
  const fillFlag = [...flags].findLast((flag) => '-_0'.includes(flag))
  let text: string
  if (typeof field === 'string') {
    text = field
    if (fillFlag !== '-') text = text.padStart(width, fillFlag === '0' ? '0' : ' ')
  } else {
    const [value, least, usual] = field
    const fill = fillFlag === '_' ? ' ' : fillFlag === '0' ? '0' : usual
    const digits = String(Math.abs(value)).padStart(fillFlag === '-' ? 0 : Math.max(least, width), fill)
    text = value < 0 ? `-${digits}` : digits
  }
  if (flags.includes('^')) return text.toUpperCase()
  if (!flags.includes('#')) return text
  return text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase()
}

function fieldOf(time: Date, letter: string): Field | undefined {
  const [year, month, day, weekDay] = [time.getFullYear(), time.getMonth(), time.getDate(), time.getDay()]
  const [hours, minutes, seconds] = [time.getHours(), time.getMinutes(), time.getSeconds()]
  const yearDay = Math.round((Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000)
  const twelve = hours % 12 || 12
  switch (letter) {
    case 'a':
      return DAYS[weekDay]!.slice(0, 3)
    case 'A':
      return DAYS[weekDay]!
    case 'b':
    case 'h':
      return MONTHS[month]!.slice(0, 3)
    case 'B':
      return MONTHS[month]!
    case 'c':
      return strftime(time, '%a %b %e %H:%M:%S %Y')
    case 'C':
      return [Math.floor(year / 100), 2, '0']
    case 'd':
      return [day, 2, '0']
    case 'D':
    case 'x':
      return strftime(time, '%m/%d/%y')
    case 'e':
      return [day, 2, ' ']
    case 'f':
      return [time.getMilliseconds() * 1000, 6, '0']
    case 'F':
      return strftime(time, '%Y-%m-%d')
    case 'g':
      return [isoWeek(year, yearDay, weekDay).year % 100, 2, '0']
    case 'G':
      return [isoWeek(year, yearDay, weekDay).year, 4, '0']
    case 'H':
      return [hours, 2, '0']
    case 'I':
      return [twelve, 2, '0']
    case 'j':
      return [yearDay + 1, 3, '0']
    case 'k':
      return [hours, 2, ' ']
    case 'l':
      return [twelve, 2, ' ']
    case 'm':
      return [month + 1, 2, '0']
    case 'M':
      return [minutes, 2, '0']
    case 'n':
      return '\n'
    case 'p':
      return hours < 12 ? 'AM' : 'PM'
    case 'P':
      return hours < 12 ? 'am' : 'pm'
    case 'r':
      return strftime(time, '%I:%M:%S %p')
    case 'R':
      return strftime(time, '%H:%M')
    case 's':
      return [Math.floor(time.getTime() / 1000), 1, '0']
    case 'S':
      return [seconds, 2, '0']
    case 't':
      return '\t'
    case 'T':
    case 'X':
      return strftime(time, '%H:%M:%S')
    case 'u':
      return [weekDay || 7, 1, '0']
    case 'U':
      return [Math.floor((yearDay + 7 - weekDay) / 7), 2, '0']
    case 'V':
      return [isoWeek(year, yearDay, weekDay).week, 2, '0']
    case 'w':
      return [weekDay, 1, '0']
    case 'W':
      return [Math.floor((yearDay + 7 - ((weekDay + 6) % 7)) / 7), 2, '0']
    case 'y':
      return [year % 100, 2, '0']
    case 'Y':
      return [year, 4, '0']
    // A time of Python's without a zone has none to tell.
    case 'z':
    case 'Z':
      return ''
    case '%':
      return '%'
    default:
      return undefined
  }
}

/** The week by ISO 8601: the one with the year's first Thursday is the first. */
function isoWeek(year: number, yearDay: number, weekDay: number): { year: number; week: number } {
  const thursday = yearDay + 4 - (weekDay || 7)
  const daysIn = (of: number): number => ((of % 4 === 0 && of % 100 !== 0) || of % 400 === 0 ? 366 : 365)
  if (thursday < 0) return { year: year - 1, week: Math.floor((thursday + daysIn(year - 1)) / 7) + 1 }
  if (thursday >= daysIn(year)) return { year: year + 1, week: Math.floor((thursday - daysIn(year)) / 7) + 1 }
  return { year, week: Math.floor(thursday / 7) + 1 }
}
