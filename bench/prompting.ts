// What `model.ask` costs over the engine's own `generate`, on a model that takes no time: `npx tsx bench/prompting.ts [--calls 2000]
// [--rounds 9] [--out FILE]`. Arms take turns in each round; a row has the median of the rounds' means, and the difference to the bare engine is
// the median of the rounds' differences; the processor's time beside the clock's, for other work on the machine slows the clock only. The first
// call is told apart: nothing is compiled then.
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { median } from '../experiments/setting/statistics.ts'
import { fakeLm } from '../src/lm/fake-lm.ts'
import { collect } from '../src/lm/lm.ts'

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '9' },
    out: { type: 'string' },
  },
})

async function main(): Promise<void> {
  const begun = performance.now()
  const { guard, localModel, prompt, route, trace } = await import('../src/prompting/index.ts')
  const imported = performance.now()
  const lm = fakeLm({ reply: () => 'yes' })
  const model = localModel(lm)
  const wrapped = guard(route([model], { by: () => 0 }), {})
  const messages = [{ role: 'user', content: 'Is it so?' }]
  const ask = (asked: typeof model) => () => asked.ask(prompt`Is it so?`, { maxTokens: 8, seed: 1 })
  await ask(model)()
  const first = performance.now()
  const generate = () => collect(lm.generate({ messages, maxNewTokens: 8, seed: 1 }))
  const arms: Record<string, (calls: number) => Promise<unknown>> = {
    'lm.generate': (calls) => times(calls, generate),
    'model.ask': (calls) => times(calls, ask(model)),
    'a guard around a route': (calls) => times(calls, ask(wrapped)),
    'model.ask, traced': (calls) => trace(() => times(calls, ask(model))),
  }
  const calls = Number(values.calls)
  const found = new Map(Object.keys(arms).map((name) => [name, { ms: [] as number[], cpu: [] as number[] }]))
  for (let round = -1; round < Number(values.rounds); round++)
    for (const [name, run] of Object.entries(arms)) {
      const [started, used] = [performance.now(), process.cpuUsage()]
      await run(calls)
      const { user, system } = process.cpuUsage(used)
      if (round < 0) continue
      found.get(name)!.ms.push((performance.now() - started) / calls)
      found.get(name)!.cpu.push((user + system) / 1000 / calls)
    }
  const bare = found.get('lm.generate')!
  const over = (values: number[], base: number[]): number => median(values.map((value, i) => value - base[i]!))
  const rows = [...found].map(([arm, { ms, cpu }]) => ({
    arm,
    msPerCall: median(ms),
    overheadMs: over(ms, bare.ms),
    cpuMsPerCall: median(cpu),
    cpuOverheadMs: over(cpu, bare.cpu),
    rounds: { ms, cpu },
  }))
  const result = {
    processor: cpus()[0]!.model,
    load: loadavg()[0],
    calls,
    importMs: imported - begun,
    firstCallMs: first - imported,
    rows,
  }
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 1)}\n`)
  for (const { arm, msPerCall, overheadMs, cpuMsPerCall, cpuOverheadMs } of rows)
    console.log(
      `${arm}: ${msPerCall.toFixed(4)} ms a call, ${overheadMs.toFixed(4)} over the engine; processor ${cpuMsPerCall.toFixed(4)}, ${cpuOverheadMs.toFixed(4)} over`,
    )
  console.log(
    `import ${result.importMs.toFixed(0)} ms (compiled by tsx), first call ${result.firstCallMs.toFixed(1)} ms`,
  )
}

async function times(count: number, run: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < count; i++) await run()
}

await main()
