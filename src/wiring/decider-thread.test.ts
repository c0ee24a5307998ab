import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LeadingClock, machineClocks } from '../adapters/clock.ts'
import type { LogClient } from '../adapters/sqlite/log-client.ts'
import { RecordKind } from '../records/record.ts'
import type { FromDecider, ToDecider } from './decider-messages.ts'
import { openLog } from './open-log.ts'

const PARTITIONS = 16
/** Enough that a batch takes milliseconds, and the decider rests behind it. */
const TICKS = 2000

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
