import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { LeadingClock, machineClocks } from '../adapters/clock.ts'
import type { LogClient } from '../adapters/sqlite/log-client.ts'
import { newEdgeColumns, newSharedColumns } from '../campaigns/catalog-columns.ts'
import { newStatus } from '../http/status.ts'
import { BuilderClient } from './builder-client.ts'
import { DeciderClient } from './decider-client.ts'
import { openLog } from './open-log.ts'

const PARTITIONS = 16
const HEARD_MS_MAX = 10_000
const TEST_MS = 30_000
/** What no code of ours sends, and no thread can take. */
const NOTHING = null as never

const logger = pino({ level: 'silent' })
let folder: string
let log: LogClient
let time: LeadingClock['shared']
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'farthing-thread-faults-'))
  time = new LeadingClock(machineClocks(0)).shared
  log = await openLog({ path: join(folder, 'log.sqlite'), partitions: PARTITIONS, time })
})
afterEach(async () => {
  await log.close()
  rmSync(folder, { recursive: true, force: true })
})

async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + HEARD_MS_MAX
  while (!isSo() && performance.now() < end) await Bun.sleep(5)
}

test(
  'a decider that ends in a fault of ours makes the installation unready',
  async () => {
    const status = newStatus()
    const decider = new DeciderClient(
      {
        storePath: join(folder, 'store.sqlite'),
        logPath: join(folder, 'log.sqlite'),
        partitions: PARTITIONS,
        holdMs: 1000,
        time,
        log: log.connect(),
        builder: new MessageChannel().port1,
      },
      { onDecided: () => {}, status, logger },
    )
    await decider.ready
    decider.ask([NOTHING])
    await until(() => !status.recording)
    expect([status.recording, decider.isStopped, status.problem]).toEqual([false, true, expect.any(String)])
    await decider.close()
    decider.terminate()
  },
  TEST_MS,
)

test(
  'a builder that ends in a fault of ours says so, and leaves no question unanswered',
  async () => {
    const faults: string[] = []
    const builder = new BuilderClient(
      {
        columns: newSharedColumns(),
        edge: newEdgeColumns(),
        time,
        decider: new MessageChannel().port2,
      },
      { onSnapshot: () => {}, onFault: message => faults.push(message) },
    )
    expect(await builder.explain(1)).toBe(null)
    builder.sample(NOTHING)
    const asked = builder.explain(1).catch((error: Error) => error.message)
    await until(() => faults.length > 0)
    expect(faults).toHaveLength(1)
    expect(await asked).toContain('the builder failed')
    expect(await builder.explain(1).catch((error: Error) => error.message)).toContain('the builder failed')
    builder.close()
  },
  TEST_MS,
)
