/** Durable appends of events to the embedded log, as many requests wait for them at once. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogClient } from '../src/adapters/sqlite/log-client.ts'
import { EVENT_PAYLOAD_BYTES } from '../src/records/events.ts'
import { HEADER_BYTES, RecordKind } from '../src/records/record.ts'
import { RecordBuffer } from '../src/records/record-buffer.ts'
import { openLog } from '../src/wiring/open-log.ts'

const PARTITIONS = 16
const RECORD_BYTES = HEADER_BYTES + EVENT_PAYLOAD_BYTES

export interface LogFigures {
  readonly waiters: number
  readonly appendsPerSecond: number
  readonly recordsPerCommit: number
  readonly cpuMicrosPerAppend: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export async function benchLog(options: { short: boolean; folder?: string }): Promise<LogFigures[]> {
  const durationMs = options.short ? 1000 : 5000
  // On the disk that is to be measured: where /tmp is in memory, the figures mean nothing.
  const within = options.folder ?? tmpdir()
  const figures = [
    await measure(256, durationMs, within, writeAndFlush),
    await measure(256, durationMs, within, appendOne),
    await measure(1, durationMs, within, writeAndFlush),
  ]
  const names = ['256 waiters, shared buffer', '256 waiters, append()', '1 waiter']
  figures.forEach((figure, i) => {
    console.log(
      `log, ${names[i]}: ${Math.round(figure.appendsPerSecond).toLocaleString('en')} durable appends/s of ` +
        `${RECORD_BYTES} B, ${figure.recordsPerCommit.toFixed(0)} a commit, p50 ${figure.p50Ms.toFixed(2)} ms, ` +
        `p99 ${figure.p99Ms.toFixed(2)} ms, ${figure.cpuMicrosPerAppend.toFixed(1)} us CPU (all threads)`,
    )
  })
  return figures
}

/** As the edge's handlers do. */
function writeAndFlush(log: LogClient, serial: number): Promise<void> {
  const at = log.buffer.begin(RecordKind.click, serial % PARTITIONS, Date.now(), EVENT_PAYLOAD_BYTES)
  log.buffer.payloadView().setUint32(at, serial)
  return log.flushed()
}

const single = new RecordBuffer()

function appendOne(log: LogClient, serial: number): Promise<void> {
  const at = single.begin(RecordKind.click, serial % PARTITIONS, Date.now(), EVENT_PAYLOAD_BYTES)
  single.payloadView().setUint32(at, serial)
  return log.append(single.take())
}

async function measure(
  waiters: number,
  durationMs: number,
  within: string,
  append: (log: LogClient, serial: number) => Promise<void>,
): Promise<LogFigures> {
  const folder = mkdtempSync(join(within, 'farthing-bench-'))
  const log = await openLog({ path: join(folder, 'log.sqlite'), partitions: PARTITIONS })
  const waitsMs: number[] = []
  let serial = 0
  let commits = 0
  log.onAppend(() => commits++)
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  await Promise.all(
    Array.from({ length: waiters }, async () => {
      let at = performance.now()
      while (at - startedAt < durationMs) {
        await append(log, serial++)
        const now = performance.now()
        waitsMs.push(now - at)
        at = now
      }
    }),
  )
  const seconds = (performance.now() - startedAt) / 1000
  const used = process.cpuUsage(cpu)
  await log.close()
  rmSync(folder, { recursive: true })
  waitsMs.sort((a, b) => a - b)
  return {
    waiters,
    appendsPerSecond: waitsMs.length / seconds,
    recordsPerCommit: waitsMs.length / commits,
    cpuMicrosPerAppend: (used.user + used.system) / waitsMs.length,
    p50Ms: waitsMs[Math.floor(waitsMs.length * 0.5)] ?? 0,
    p99Ms: waitsMs[Math.floor(waitsMs.length * 0.99)] ?? 0,
  }
}

if (import.meta.main) await benchLog({ short: process.argv.includes('--short') })
