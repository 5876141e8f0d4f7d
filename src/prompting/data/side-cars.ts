// Pictures, sounds and films are read by the text beside them: `photo.jpg` by `photo.jpg.txt` or `photo.txt`, a film by its subtitles.

import { statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { InputError } from '../../errors.ts'

/** Endings of what is no text itself. */
export const MEDIA: readonly string[] = (
  '.jpg .jpeg .png .gif .webp .bmp .tif .tiff .heic .avif .svg ' +
  '.mp3 .wav .flac .ogg .opus .m4a .aac .mp4 .m4v .mkv .webm .mov .avi'
).split(' ')

/** Endings of texts with times, which are left out of what is read. */
export const SUBTITLES: readonly string[] = ['.vtt', '.srt']

const BESIDE = ['.txt', '.md', ...SUBTITLES]

/** The texts beside a picture or sound, the one that counts first: those with its whole name come before those with its stem. */
export function sideCarsOf(file: string): string[] {
  const stem = file.replace(/\.[^./\\]*$/, '')
  return [file, stem]
    .flatMap((name) => BESIDE.map((ending) => name + ending))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
}

/** What is said in subtitles (WebVTT, SubRip), a line for each, without times and marks; a speaker stands before a colon. */
export async function readSubtitles(file: string, maxBytes: number): Promise<string> {
  const { size } = await stat(file)
  if (size > maxBytes) throw new InputError(`subtitles in ${file}: expected at most ${maxBytes} bytes, got ${size}`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch {
    throw new InputError(`subtitles in ${file}: expected UTF-8, got other bytes. Convert it`)
  }
  return text
    .replaceAll(/\r\n?/g, '\n')
    .split(/\n{2,}/)
    .flatMap(said)
    .join('\n')
}

/** The lines of one subtitle; none of what is a note, a style or a head. */
function said(block: string): string[] {
  const lines = block.split('\n')
  const time = lines.findIndex((line) => line.includes('-->'))
  if (time === -1) return []
  return lines
    .slice(time + 1)
    .map(plain)
    .filter((line) => line !== '')
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', nbsp: ' ', lrm: '', rlm: '' }

const plain = (line: string): string =>
  line
    .replaceAll(/<v(?:\.[^\s<>]*)?[ \t]([^<>]*)>/g, (_, speaker: string) => `${speaker.trim()}: `)
    .replaceAll(/<\/?[a-z\d][^<>]*>/gi, '')
    .replaceAll(/&(amp|lt|gt|nbsp|lrm|rlm);/g, (_, name: string) => ENTITIES[name]!)
    .trim()
