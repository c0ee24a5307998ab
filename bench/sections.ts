/** What the bench measures, a section each: runs it, and puts its figures into the table. */
import { join } from 'node:path'
import { benchSockets } from './auction-sockets.ts'
import { benchDecisions } from './auctions.ts'
import { benchBilling } from './billing.ts'
import { benchClicks } from './clicks.ts'
import { benchIngest, INGEST_CPU_MICROS_MAX } from './ingest.ts'
import { benchLog } from './log.ts'
import { benchSoak } from './soak.ts'
import { goal, type Table } from './table.ts'
import { benchTreasury, GRANTS_PER_SECOND_MIN } from './treasury.ts'

type Section = (table: Table, short: boolean) => unknown

/** In the order that they are run in; what each returns is kept beside the rows, under its name. */
export const SECTIONS: Readonly<Record<string, Section>> = {
  clicks,
  billing,
  decisions,
  treasury,
  auctions,
  log,
  ingest,
  ingestedIds,
  memory,
}

async function clicks(table: Table, short: boolean): Promise<unknown> {
  const figures = await benchClicks(short)
  const { withoutLog, steady } = figures
  const beside = (limit: number) => ({ limit, against: 'without a log' })
  table.atLeast('clicks, durable redirects', figures.redirectsPerSecond, '/s', goal(60_000))
  table.add(
    'clicks, beside the handler without a log',
    figures.redirectsPerSecond,
    '/s',
    beside(withoutLog.redirectsPerSecond),
  )
  table.add('clicks, p50 at 256 connections', figures.p50Ms, 'ms', beside(withoutLog.p50Ms))
  table.atMost('clicks, p99 at 256 connections', figures.p99Ms, 'ms', {
    limit: 10,
    against: `goal; ${withoutLog.p99Ms.toFixed(1)} without a log`,
  })
  table.add(
    'clicks, CPU of the serving thread',
    figures.servingCpuMicros,
    'us/click',
    beside(withoutLog.servingCpuMicros),
  )
  table.add('clicks, CPU of all, billing included', figures.cpuMicros, 'us/click')
  table.add('clicks, CPU of the load generator', figures.generatorCpuMicros, 'us/click')
  table.add('clicks, drain after', figures.drainSeconds ?? Number.NaN, 's')
  table.atLeast('clicks, charged of redirected', figures.charged, 'clicks', {
    limit: figures.clicks,
    against: 'redirects',
  })
  table.atLeast('clicks at a steady rate, redirected', steady.redirectsPerSecond, '/s', goal(40_000))
  table.atLeast('clicks at a steady rate, charged meanwhile', steady.billedPerSecond, '/s', goal(40_000))
  table.add('clicks at a steady rate, p99 from when due', steady.p99Ms, 'ms')
  table.atMost('clicks at a steady rate, billing behind', steady.clicksBehindMax, 'clicks', {
    limit: 40_000,
    against: 'one second of them',
  })
  table.add('clicks at a steady rate, drain after', steady.drainSeconds ?? Number.NaN, 's')
  return figures
}

async function billing(table: Table, short: boolean): Promise<unknown> {
  const measured = await benchBilling(short)
  for (const { name, ...figures } of measured.figures) {
    table.atLeast(`billing, ${name}`, figures.eventsPerCpuSecond, 'events/s/core', goal(50_000))
    table.add(`billing, ${name}, by the clock`, figures.eventsPerSecond, 'events/s')
    table.atMost(`billing, ${name}, rows`, figures.rowsEach, 'each', {
      limit: figures.rowsMax,
      against: 'at most',
    })
    table.add(`billing, ${name}, stored`, figures.bytesEach, 'B each')
  }
  const { charges, lateMicros, earlyMicros } = measured.growth
  table.add(`billing, at ${charges.toLocaleString('en')} charges`, lateMicros, 'us/event', {
    limit: earlyMicros,
    against: 'at a tenth of them',
  })
  return measured
}

async function decisions(table: Table, short: boolean): Promise<unknown> {
  const measured = await benchDecisions(short)
  for (const figures of measured) {
    const name = `decision, ${figures.campaigns.toLocaleString('en')} campaigns`
    table.add(`${name}, CPU`, figures.cpuMicros, 'us')
    table.add(`${name}, p50`, figures.p50Micros, 'us')
    table.atMost(`${name}, p99`, figures.p99Micros, 'us', goal(1000))
    table.add(`${name}, p99.9`, figures.p999Micros, 'us')
  }
  table.atMost('budget check', measured.at(-1)!.budgetCheckNs, 'ns', goal(1000))
  return measured
}

function treasury(table: Table, short: boolean): unknown {
  const figures = benchTreasury(short)
  table.atLeast('treasury, grants', figures.grantsPerCpuSecond, '/s/core', goal(GRANTS_PER_SECOND_MIN))
  return figures
}

async function auctions(table: Table, short: boolean): Promise<unknown> {
  const measured = await benchSockets(short)
  const { sockets, halfLoad } = measured
  const twice = (echoMicros: number) => ({ limit: 2 * echoMicros, against: 'twice the echo' })
  for (const figures of sockets) {
    const name = `auction, ${figures.campaigns.toLocaleString('en')} campaigns`
    table.atMost(`${name}, CPU`, figures.cpuMicros, 'us', twice(figures.echoCpuMicros))
    const { awake } = figures
    table.add(`${name}, CPU, load awake`, awake.cpuMicros, 'us', twice(awake.echoCpuMicros))
    table.add(`${name}, rate`, figures.perSecond, '/s', { limit: figures.echoPerSecond, against: 'echo' })
    table.add(`${name}, memory`, figures.residentBytes / 1e6, 'MB')
  }
  for (const [name, { perSecond, p50Ms, p99Ms, p999Ms }] of [
    ['half load', halfLoad.calm],
    [`half load, ${halfLoad.editsPerSecond} edits/s`, halfLoad.edited],
  ] as const) {
    table.add(`${name}, rate`, perSecond, '/s')
    table.add(`${name}, p50`, p50Ms, 'ms')
    table.atMost(`${name}, p99`, p99Ms, 'ms', goal(10))
    table.add(`${name}, p99.9`, p999Ms, 'ms')
  }
  return measured
}

async function log(table: Table, short: boolean): Promise<unknown> {
  const measured = await benchLog({ short })
  const { appendsPerSecond, p99Ms } = measured[0]!
  table.atLeast('log, durable appends, 256 waiters', appendsPerSecond, '/s', goal(60_000))
  table.add('log, p99', p99Ms, 'ms')
  return measured
}

async function ingest(table: Table, short: boolean): Promise<unknown> {
  const measured = await benchIngest(short)
  for (const figures of measured) {
    const name = `ingest, ${figures.kind}, ${figures.storedIds / 1e6}M ids kept`
    // Ingestion with the id checked is held to the goal; a charge comes on top, which billing is held to.
    if (figures.kind === 'charged') table.add(`${name}, CPU`, figures.cpuMicros, 'us/event')
    else {
      const limit = { limit: INGEST_CPU_MICROS_MAX, against: 'goal: 100,000/s a core' }
      table.atMost(`${name}, CPU`, figures.cpuMicros, 'us/event', limit)
    }
    table.add(`${name}, answered`, figures.acceptedPerSecond, '/s')
    table.add(`${name}, decided`, figures.decidedPerSecond, '/s')
  }
  return measured
}

/** In a process of its own: it fills the memory. */
async function ingestedIds(table: Table, short: boolean): Promise<unknown> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, 'ingested-ids.ts'), ...(short ? ['--short'] : [])],
    { stdout: 'pipe', stderr: 'inherit' },
  )
  const lines = (await new Response(child.stdout).text()).trimEnd().split('\n')
  const found = lines
    .map(line => /look-up at [\d.]+M ids\s+(\d+) ns, limit/.exec(line)?.[1])
    .find(ns => ns !== undefined)
  if (found === undefined) throw new Error('bench/ingested-ids.ts gave no figure')
  const missNs = Number(found)
  table.atMost('ingested ids, look-up of a new one', missNs, 'ns', goal(1000))
  return { missNs, lines }
}

async function memory(table: Table, short: boolean): Promise<unknown> {
  const figures = await benchSoak(short)
  const minutes = (figures.seconds / 60).toFixed(figures.seconds < 60 ? 1 : 0)
  table.atMost(`memory, growth in ${minutes} min of load`, figures.grownMb, 'MB', {
    limit: 32,
    against: 'flat, but for garbage',
  })
  table.add('memory, at its end', figures.endMb, 'MB')
  table.atMost('write-ahead logs, the longest', figures.walMbMost, 'MB', {
    limit: 32,
    against: 'twice a checkpoint',
  })
  return figures
}
