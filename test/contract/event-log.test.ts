import { describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLog } from '../../src/adapters/memory/log.ts'
import { DataFolderHeld, openDataFolder } from '../../src/adapters/sqlite/data-folder.ts'
import { SqliteLog } from '../../src/adapters/sqlite/log.ts'
import type { LogClient } from '../../src/adapters/sqlite/log-client.ts'
import { LogPort } from '../../src/adapters/sqlite/log-port.ts'
import { type EventLog, LogUnavailable } from '../../src/ports/event-log.ts'
import { openLog } from '../../src/wiring/open-log.ts'
import { eventLogContract, fault, type KeptLog, PARTITIONS, records, text, write } from './event-log.ts'

const clock = { now: () => Date.now() }
/** 40 pages of 4 KiB: room for the tables and some small batches. */
const NEARLY_FULL_PAGES = 40

eventLogContract('memory', async () => {
  let log = new MemoryLog(PARTITIONS, clock)
  return { open: async () => (log = log.reopened()), remove: async () => {} }
})

eventLogContract('SQLite', () => keptIn(async options => new SqliteLog({ ...options, clock })))

eventLogContract('SQLite on a thread', () => keptIn(openLog))

eventLogContract('SQLite from another thread', () =>
  keptIn(async options => {
    const client = await openLog(options)
    const port = new LogPort(client.connect(), options.path)
    const close = port.close.bind(port)
    port.close = async () => {
      await close()
      await client.close()
    }
    return port
  }),
)

describe('memory log', () => {
  const from = new Array<number>(PARTITIONS).fill(0)

  test('each fault befalls one append', async () => {
    const log = new MemoryLog(PARTITIONS, clock)
    log.failNext('lost')
    log.failNext('keptButFailed')
    log.failNext('keptTwice')
    expect(await fault(log.append(records([0, 'a'])))).toBeInstanceOf(LogUnavailable)
    expect(await fault(log.append(records([0, 'b'])))).toBeInstanceOf(LogUnavailable)
    await log.append(records([0, 'c']))
    await log.append(records([0, 'd']))
    expect(log.read(from, 1000).map(text)).toEqual(['b', 'c', 'c', 'd'])
  })
})

describe('SQLite log', () => {
  const from = new Array<number>(PARTITIONS).fill(0)

  test('the time of an append never goes back, across a restart too', async () => {
    await inFolder(async path => {
      const log = new SqliteLog({ path, partitions: PARTITIONS, clock })
      log.appendSync(records([0, 'a']), 5000)
      log.appendSync(records([0, 'b']), 4000)
      log.closeSync()
      const again = new SqliteLog({ path, partitions: PARTITIONS, clock })
      again.appendSync(records([0, 'c']), 3000)
      again.appendSync(records([0, 'd']), 4000)
      again.appendSync(records([0, 'e']), 6000)
      expect(again.read(from, 1000).map(record => record.appendedAt)).toEqual([5000, 5000, 5000, 5000, 6000])
      again.closeSync()
      expect(existsSync(`${path}-wal`)).toBe(false)
    })
  })

  test('a file is refused with another number of partitions than it was made with', async () => {
    await inFolder(async path => {
      new SqliteLog({ path, partitions: PARTITIONS, clock }).closeSync()
      expect(() => new SqliteLog({ path, partitions: PARTITIONS + 1, clock })).toThrow(/4 partitions, not 5/)
      expect(await fault(openLog({ path, partitions: PARTITIONS + 1 }))).toHaveProperty(
        'message',
        expect.stringMatching(/4 partitions, not 5/),
      )
    })
  })

  test('what was acknowledged before kill -9 is there after it, and every append is whole', async () => {
    await inFolder(async path => {
      for (let round = 0; round < 3; round++) {
        const acknowledged = await appendUntilKilled(path, 300 + 200 * round)
        const log = new SqliteLog({ path, partitions: PARTITIONS, clock })
        const kept = log.read(from, 1 << 30).map(text)
        const counts = new Map<string, number>()
        for (const name of kept) counts.set(name, (counts.get(name) ?? 0) + 1)
        expect(acknowledged.length).toBeGreaterThan(0)
        expect(acknowledged.filter(name => !counts.has(name))).toEqual([])
        for (const [name, count] of counts) {
          if (!name.endsWith('+')) expect(counts.get(`${name}+`)).toBe(count)
        }
        await log.close()
      }
    })
  }, 30_000)
})

describe('log client', () => {
  const from = new Array<number>(PARTITIONS).fill(0)

  test('all who write in one turn share one flush and one batch', async () => {
    await withClient({}, async log => {
      write(log.buffer, 0, 'a')
      const first = log.flushed()
      write(log.buffer, 1, 'b')
      const second = log.flushed()
      const third = log.append(records([2, 'c']))
      expect(second).toBe(first)
      await Promise.all([first, third])
      expect(log.read(from, 1000).map(text)).toEqual(['a', 'b', 'c'])
    })
  })

  test('a flush that is asked for late is the one that took the records', async () => {
    await withClient({}, async log => {
      write(log.buffer, 0, 'a')
      const flushed = log.flushed()
      await flushed
      expect(log.flushed()).toBe(flushed)
    })
  })

  test('more than may wait is refused as overload, and room comes back', async () => {
    await withClient({ waitingBytesMax: 1000 }, async log => {
      const kept = log.append(records([0, 'x'.repeat(900)]))
      expect(await fault(log.append(records([0, 'y'.repeat(100)])))).toHaveProperty(
        'message',
        expect.stringMatching(/overload/),
      )
      await kept
      await log.append(records([0, 'z'.repeat(900)]))
      for (let i = 0; i < 20; i++) write(log.buffer, 0, 'w'.repeat(100))
      expect(log.overloaded).toBe(true)
      expect(await fault(log.flushed())).toBeInstanceOf(LogUnavailable)
      expect(log.overloaded).toBe(false)
      expect(log.read(from, 10_000)).toHaveLength(2)
    })
  })

  test('the end of the thread refuses all that waits, and all that comes after', async () => {
    await withClient({}, async log => {
      const port = new LogPort(log.connect(), currentPath)
      await port.append(records([0, 'a']))
      const sent = fault(log.append(records([0, 'b'])))
      const sentOverPort = fault(port.append(records([0, 'c'])))
      // Behind the immediates that send, and before any answer can come.
      await new Promise<void>(resolve => setImmediate(resolve))
      const gathering = fault(log.append(records([0, 'd'])))
      const gone = log.kill()
      expect(await sent).toBeInstanceOf(LogUnavailable)
      expect(await gathering).toBeInstanceOf(LogUnavailable)
      await gone
      // The thread may have committed and answered it on its way out; if it did, it is kept.
      if ((await sentOverPort) === 'no fault') expect(port.read(from, 1000).map(text)).toContain('c')
      else expect(await sentOverPort).toBeInstanceOf(LogUnavailable)
      expect(await fault(log.append(records([0, 'e'])))).toBeInstanceOf(LogUnavailable)
      expect(await fault(port.append(records([0, 'f'])))).toBeInstanceOf(LogUnavailable)
      await port.close()
    })
  })

  test('each line is woken by the commits of the others, and one broken append fails alone', async () => {
    await withClient({}, async log => {
      const port = new LogPort(log.connect(), currentPath)
      const woken = new Promise<void>(resolve => port.onAppend(resolve))
      await log.append(records([0, 'from HTTP']))
      await woken
      expect(port.read(from, 1000).map(text)).toEqual(['from HTTP'])
      const answered = new Promise<void>(resolve => log.onAppend(resolve))
      await port.append(records([1, 'effect']))
      await answered
      expect(log.read(from, 1000).map(text)).toEqual(['from HTTP', 'effect'])
      write(log.buffer, PARTITIONS, 'of no partition')
      const broken = log.flushed()
      const good = port.append(records([0, 'good']))
      expect(await fault(broken)).toHaveProperty('message', expect.stringMatching(/partition 4/))
      await good
      await port.close()
    })
  })
})

describe('data folder', () => {
  test('is readable by its owner only, and held by one at a time', async () => {
    await inFolder(async path => {
      const folder = openDataFolder(join(path, 'deep'))
      expect(statSync(folder.path).mode & 0o777).toBe(0o700)
      expect(() => openDataFolder(folder.path)).toThrow(`in use by process ${process.pid} `)
      folder.close()
      openDataFolder(folder.path).close()
    })
  })

  test('a second process is told who holds it; kill -9 lets it go', async () => {
    await inFolder(async path => {
      const child = await holdInChild(path, '')
      try {
        expect(() => openDataFolder(path)).toThrow(DataFolderHeld)
        expect(() => openDataFolder(path)).toThrow(`process ${child.pid} `)
      } finally {
        child.kill(9)
        await child.exited
      }
      openDataFolder(path).close()
    })
  })

  test('is held until the process ends, also where nobody keeps what openDataFolder returned', async () => {
    await inFolder(async path => {
      const child = await holdInChild(
        path,
        'await Bun.sleep(5); Bun.gc(true); await Bun.sleep(5); Bun.gc(true);',
      )
      try {
        expect(() => openDataFolder(path)).toThrow(DataFolderHeld)
      } finally {
        child.kill(9)
        await child.exited
      }
    })
  })
})

async function holdInChild(path: string, then: string) {
  const module = join(import.meta.dir, '../../src/adapters/sqlite/data-folder.ts')
  const script = `(await import(${JSON.stringify(module)})).openDataFolder(${JSON.stringify(path)})
    ${then} console.log('held'); setInterval(() => {}, 1000)`
  const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe' })
  await child.stdout.getReader().read()
  return child
}

let currentPath = ''

async function keptIn(
  open: (options: { path: string; partitions: number; pagesMax?: number }) => Promise<EventLog>,
): Promise<KeptLog> {
  const folder = mkdtempSync(join(tmpdir(), 'farthing-log-'))
  const options = { path: join(folder, 'log.sqlite'), partitions: PARTITIONS }
  return {
    open: () => open(options),
    openNearlyFull: () => open({ ...options, pagesMax: NEARLY_FULL_PAGES }),
    remove: async () => rmSync(folder, { recursive: true }),
  }
}

async function inFolder(body: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'farthing-log-'))
  try {
    await body(join(folder, 'log.sqlite'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function withClient(
  options: { waitingBytesMax?: number },
  body: (log: LogClient) => Promise<void>,
): Promise<void> {
  await inFolder(async path => {
    currentPath = path
    const log = await openLog({ path, partitions: PARTITIONS, ...options })
    await body(log)
    await log.close()
  })
}

/** The names that the child saw acknowledged before it was killed in the middle of its appends. */
async function appendUntilKilled(path: string, afterMs: number): Promise<string[]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'log-crash-child.ts'), path], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  let output = ''
  // A machine under load may take long to start it.
  const begun = Promise.withResolvers<void>()
  const decoder = new TextDecoder()
  const reading = (async () => {
    for await (const chunk of child.stdout) {
      output += decoder.decode(chunk, { stream: true })
      begun.resolve()
    }
  })()
  await begun.promise
  await Bun.sleep(afterMs)
  child.kill(9)
  await Promise.all([child.exited, reading])
  // The last line may be cut.
  return output.split('\n').slice(0, -1)
}
