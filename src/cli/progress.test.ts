import { afterEach, describe, expect, it } from 'vitest'
import { createOutput, type Output, type TextStream } from './output.ts'
import { progressMode, startProgress } from './progress.ts'

function fakeOutput(stream: Partial<TextStream> = {}, isJson = false): { output: Output; written: () => string } {
  let text = ''
  const stderr = { write: (part: string) => (text += part), ...stream }
  const nothing = { write: () => expect.unreachable('progress goes to standard error') }
  return { output: createOutput(isJson, nothing, stderr), written: () => text }
}

/** What is on screen after carriage returns and clear-line codes; cursor codes removed. */
function screen(text: string): string[] {
  return text
    .replaceAll(/\u001b\[\?25[lh]/g, '')
    .split('\n')
    .map((line) => line.split('\r\u001b[2K').at(-1)!)
}

function clock() {
  let time = 100
  return { now: () => time, wait: (seconds: number) => (time += seconds) }
}

const listeners = ['exit', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const
const counts = () => listeners.map((name) => process.listenerCount(name))

describe('progress on a terminal', () => {
  const before = counts()
  afterEach(() => expect(counts()).toEqual(before))

  it('redraws one line with percentage, rate, time left and details', () => {
    const { output, written } = fakeOutput({ isTTY: true, columns: 100 })
    const { now, wait } = clock()
    const progress = startProgress(output, { label: 'training', total: 200, unit: 'steps', now, mode: 'bar' })
    wait(2)
    progress.update(50, { loss: '3.214' })
    // 50 steps in 2 s are 25 per second; 150 more take 6 s.
    expect(screen(written())[0]).toMatch(
      /^▕█{6} {18}▏ training {2}25 % {2}50\/200 steps {2}25\/s {2}6\.0 s left {2}loss 3\.214$/,
    )
    wait(2)
    progress.update(200)
    progress.end()
    progress.end()
    expect(screen(written())).toEqual(['training  100 %  200/200 steps  50/s  in 4.0 s  loss 3.214', ''])
  })

  it('says nothing of a rate before there is one', () => {
    const { output, written } = fakeOutput()
    const { now, wait } = clock()
    const progress = startProgress(output, { label: 'writing', total: 4e6, unit: 'bytes', now, mode: 'lines' })
    wait(1e-5)
    progress.update(1e6)
    wait(1e-3)
    progress.end()
    expect(written()).toBe('writing  25 %  1.00 MB/4.00 MB\nwriting  25 %  1.00 MB/4.00 MB  in 0.0 s\n')
  })

  it('draws at most ten times a second', () => {
    const { output, written } = fakeOutput({ isTTY: true })
    const { now, wait } = clock()
    const progress = startProgress(output, { label: 'x', total: 1000, unit: 'docs', now, mode: 'bar' })
    for (let done = 1; done <= 1000; done++) {
      wait(0.001)
      progress.update(done)
    }
    progress.end()
    expect(written().split('\r').length - 2).toBeLessThanOrEqual(11)
  })

  it.each([20, 24, 40, 61, 80, 200])('stays inside %i columns', (columns) => {
    const { output, written } = fakeOutput({ isTTY: true, columns })
    const { now, wait } = clock()
    const progress = startProgress(output, { label: 'tokenizer training', total: 1e9, unit: 'bytes', now, mode: 'bar' })
    for (const done of [0, 1, 12_345, 5e8, 1e9]) {
      wait(1)
      progress.update(done, { pairs: '123456' })
      expect(screen(written()).at(-1)!.length).toBeLessThan(columns)
    }
    progress.end()
  })

  it('hides the cursor and shows it again', () => {
    const { output, written } = fakeOutput({ isTTY: true })
    const progress = startProgress(output, { label: 'x', unit: 'docs', mode: 'bar' })
    expect(written()).toBe('\u001b[?25l')
    expect(counts()).toEqual(before.map((count) => count + 1))
    progress.end()
    expect(written().endsWith('\u001b[?25h')).toBe(true)
  })

  it('keeps log lines above the bar', () => {
    const { output, written } = fakeOutput({ isTTY: true })
    const progress = startProgress(output, { label: 'x', total: 2, unit: 'docs', mode: 'bar', now: () => 0 })
    progress.update(1)
    progress.log('hello')
    progress.end()
    expect(screen(written())).toEqual(['hello', 'x  50 %  1/2 docs  in 0.0 s', ''])
  })

  it('leaves a signal to others where there are others', () => {
    const { output } = fakeOutput({ isTTY: true })
    const seen: string[] = []
    const listener = () => seen.push('SIGTERM')
    process.on('SIGTERM', listener)
    const progress = startProgress(output, { label: 'x', unit: 'docs', mode: 'bar' })
    process.emit('SIGTERM', 'SIGTERM')
    progress.end()
    process.removeListener('SIGTERM', listener)
    expect(seen).toEqual(['SIGTERM'])
  })
})

describe('progress in a pipe', () => {
  it('writes a plain line now and then, and one at the end', () => {
    const { output, written } = fakeOutput()
    const { now, wait } = clock()
    const progress = startProgress(output, { label: 'packing', total: 100, unit: 'docs', now })
    for (let done = 1; done <= 100; done++) {
      wait(0.25)
      progress.update(done)
    }
    progress.end()
    expect(written()).not.toContain('\u001b')
    expect(written().trimEnd().split('\n')).toEqual([
      'packing  1 %  1/100 docs  4/s  24.8 s left'.replace('24.8 s', '25 s'),
      'packing  41 %  41/100 docs  4/s  15 s left',
      'packing  81 %  81/100 docs  4/s  4.8 s left',
      'packing  100 %  100/100 docs  4/s  in 25 s',
    ])
  })

  it('does not count what a resumed run did before as speed', () => {
    const { output, written } = fakeOutput()
    const { now, wait } = clock()
    const progress = startProgress(output, { label: 'x', total: 1000, start: 900, unit: 'steps', now })
    wait(10)
    progress.update(910)
    expect(written()).toBe('x  91 %  910/1,000 steps  1/s  1 m 30 s left\n')
  })

  it('is silent with --json, except for what is logged', () => {
    const { output, written } = fakeOutput({ isTTY: true }, true)
    const progress = startProgress(output, { label: 'x', total: 1, unit: 'docs' })
    progress.update(1)
    progress.log('notice')
    progress.end()
    expect(written()).toBe('notice\n')
  })
})

describe('progressMode', () => {
  it('draws a bar only where somebody sees it', () => {
    const terminal = fakeOutput({ isTTY: true }).output
    expect(progressMode(terminal, {})).toBe('bar')
    expect(progressMode(terminal, { TERM: 'dumb' })).toBe('lines')
    expect(progressMode(terminal, { CI: 'true' })).toBe('lines')
    expect(progressMode(fakeOutput().output, {})).toBe('lines')
    expect(progressMode(fakeOutput({ isTTY: true }, true).output, {})).toBe('silent')
  })
})
