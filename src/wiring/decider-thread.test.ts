import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LeadingClock, machineClocks } from '../adapters/clock.ts'
import type { LogClient } from '../adapters/sqlite/log-client.ts'
import { RecordKind } from '../records/record.ts'
import type { FromDecider, ToDecider } from './decider-messages.ts'
import { openLog } from './open-log.ts'
import { HURRY_MS } from './rests.ts'

const PARTITIONS = 16
/** Enough that a batch takes milliseconds, and the decider rests behind it. */
const TICKS = 2000
/** Behind which the decider rests for as long as it ever does. */
const TICKS_OF_A_LONG_BATCH = 20_000
const TICKS_AT_ONCE = 50
/** A rest and two batches, on a busy machine. */
const WAIT_MS_MAX = 500

let folder: string
let log: LogClient
let decider: Worker
let heard: FromDecider[]
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'farthing-decider-thread-'))
  const clock = new LeadingClock(machineClocks(0))
  const logPath = join(folder, 'log.sqlite')
  log = await openLog({ path: logPath, partitions: PARTITIONS, time: clock.shared })
  heard = []
  decider = new Worker(new URL('./decider-thread.ts', import.meta.url).href)
  const builder = new MessageChannel()
  const line = log.connect()
  decider.postMessage(
    {
      kind: 'open',
      storePath: join(folder, 'store.sqlite'),
      logPath,
      partitions: PARTITIONS,
      holdMs: 1000,
      time: clock.shared,
      log: line,
      builder: builder.port1,
    } satisfies ToDecider,
    [line, builder.port1],
  )
  await new Promise<void>(resolve => {
    decider.onmessage = ({ data }: MessageEvent<FromDecider>) => {
      heard.push(data)
      if (data.kind === 'ready') resolve()
    }
  })
})
afterEach(async () => {
  decider.terminate()
  await log.close()
  rmSync(folder, { recursive: true, force: true })
})

function decidedSoFar(): number {
  return heard.reduce((sum, one) => sum + (one.kind === 'decided' ? one.decided.decided : 0), 0)
}

async function appendTicks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) log.buffer.json(RecordKind.tick, i % PARTITIONS, Date.now(), {})
  await log.flushed()
}

async function untilDecided(count: number): Promise<void> {
  const until = performance.now() + 10_000
  while (decidedSoFar() < count && performance.now() < until) await Bun.sleep(1)
  expect(decidedSoFar()).toBeGreaterThanOrEqual(count)
}

test('a command cuts the rest behind a batch short', async () => {
  /** From the end of a batch after which the decider rests, to the decision of a record that came right behind it. */
  async function waitMs(hurries: boolean): Promise<number> {
    await Bun.sleep(2 * HURRY_MS)
    const before = decidedSoFar()
    await appendTicks(TICKS_OF_A_LONG_BATCH)
    await untilDecided(before + TICKS_OF_A_LONG_BATCH)
    const from = performance.now()
    await appendTicks(1)
    if (hurries) decider.postMessage({ kind: 'hurry' } satisfies ToDecider)
    await untilDecided(before + TICKS_OF_A_LONG_BATCH + 1)
    return performance.now() - from
  }
  const hurried: number[] = []
  const rested: number[] = []
  for (let i = 0; i < 5; i++) {
    rested.push(await waitMs(false))
    hurried.push(await waitMs(true))
  }
  const middle = (waits: readonly number[]) => waits.toSorted((a, b) => a - b)[2]!
  expect(middle(hurried)).toBeLessThan(middle(rested) / 2)
})

test('while records pour in none of them waits long to be decided', async () => {
  const before = decidedSoFar()
  const appendedAt: number[] = []
  let oldestMs = 0
  const end = performance.now() + 1000
  while (performance.now() < end) {
    appendedAt.push(performance.now())
    await appendTicks(TICKS_AT_ONCE)
    const oldest = appendedAt[Math.floor((decidedSoFar() - before) / TICKS_AT_ONCE)]
    if (oldest !== undefined) oldestMs = Math.max(oldestMs, performance.now() - oldest)
  }
  await untilDecided(before + appendedAt.length * TICKS_AT_ONCE)
  expect(oldestMs).toBeLessThan(WAIT_MS_MAX)
})

test('a decider that is closed while records come in reads no more of the log behind its end', async () => {
  const now = Date.now()
  const decided = () =>
    heard.reduce((sum, one) => sum + (one.kind === 'decided' ? one.decided.decided : 0), 0)
  const closed = () => heard.some(({ kind }) => kind === 'closed')
  const before = decided()
  const append = () => {
    for (let i = 0; i < TICKS; i++) log.buffer.json(RecordKind.tick, i % PARTITIONS, now, {})
    return log.flushed()
  }
  await append()
  decider.postMessage({ kind: 'close' } satisfies ToDecider)
  while (!closed()) {
    await append()
    await Bun.sleep(1)
  }
  await Bun.sleep(50)
  expect(heard.filter(({ kind }) => kind === 'failed' || kind === 'paused')).toEqual([])
  expect(decided() - before).toBeGreaterThanOrEqual(TICKS)
})
