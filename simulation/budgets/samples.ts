import { unspent } from '../../src/budgets/link.ts'
import { reserveTarget, type Shard, type ShardDay } from '../../src/budgets/shard.ts'
import { DAY_MS, MINUTE_MS } from '../../src/core/time.ts'
import { billedOn, type DayBook } from './audit/days.ts'
import { stopsOf } from './figures.ts'
import type { CampaignFacts } from './market.ts'
import type { World } from './world.ts'

/** One look at the world. Money in micros. */
export interface Sample {
  readonly at: number
  /** R: leased to nodes, and not told as chosen. */
  readonly leased: number
  /** H: what chosen impressions may still cost. */
  readonly held: number
  /** With shards, and neither. */
  readonly free: number
  /** Asks and grants between nodes and treasuries, and charges, since the sample before. */
  readonly messages: number
  readonly charges: number
  /** Billed so far of each watched campaign. */
  readonly billed: readonly number[]
}

/** A campaign of the report, and what it should have spent by each sample. */
export interface Watched {
  readonly facts: CampaignFacts
  readonly why: string
  /** Micros; of `asap` the cap, from which it is not to run away. */
  readonly planned: readonly number[]
}

export interface WorstCase {
  readonly what: string
  readonly campaign: number
  readonly text: string
}

const PACED_SHOWN = 3
/** A day that the run has less than this of says nothing. */
const JUDGED_MS = 2 * 3_600_000
const CURVE_STEP_MS = 5 * MINUTE_MS

/** What the report draws. It reads only, between two events, and draws nothing from the stream: a run is the same without. */
export class Samples {
  readonly taken: Sample[] = []
  readonly start: number
  private readonly shown: { readonly facts: CampaignFacts; readonly cap: number; readonly why: string }[]
  private messages = 0
  private charges = 0

  constructor(private readonly world: World) {
    this.start = world.start
    this.shown = worthShowing(world.market.campaigns)
  }

  take(): void {
    const { world } = this
    const { leaseMessages } = world
    const { money, events } = world.auditor
    this.taken.push({
      at: world.events.now,
      ...this.outstanding(),
      messages: leaseMessages - this.messages,
      charges: events.charges - this.charges,
      billed: this.shown.map(({ facts }) => {
        const days = [...money.books.get(facts.number)!.days.values()]
        return days.reduce((sum, day) => sum + billedOn(day), 0)
      }),
    })
    this.messages = leaseMessages
    this.charges = events.charges
  }

  watched(): Watched[] {
    return this.shown.map(({ facts, cap, why }) => ({ facts, why, planned: this.planOf(facts, cap) }))
  }

  /** Times from exhaustion or a pause to the last ad: those that the figures are made of. */
  stops(): number[] {
    return stopsOf(this.world.auditor.money).map(({ connectedMs }) => connectedMs)
  }

  /** The campaigns that fared worst, one for each way to. */
  worst(): WorstCase[] {
    const { money } = this.world.auditor
    const cases = new Map<string, WorstCase & { readonly size: number }>()
    const note = (what: string, campaign: number, size: number, text: string) => {
      if (size > (cases.get(what)?.size ?? 0)) cases.set(what, { what, campaign, size, text })
    }
    for (const { facts, days, givenAway } of money.books.values()) {
      const { number } = facts
      const price = costOf(facts)
      note('given away', number, givenAway / price, `${(givenAway / price).toFixed(1)} prices`)
      for (const day of days.values()) {
        const left = (day.capMost - billedOn(day)) / price
        const of = `of ${(day.capMost / price).toFixed(0)} on the day of ${new Date(day.start).toISOString().slice(0, 16)}`
        if (day.exhaustedAt === null) {
          // A day that the run breaks off has its money for who comes later.
          if (!isOver(day, this.world)) continue
          note('left of a cap', number, left, `${left.toFixed(1)} prices ${of}`)
        } else {
          const { connectedMs } = day.served
          note('ads after exhaustion', number, connectedMs, `for ${Math.round(connectedMs)} ms`)
        }
      }
    }
    return [...cases.values()]
  }

  /** Each day's cap, for paced ones by the traffic's own curve over the day in their zone. */
  private planOf(facts: CampaignFacts, cap: number): number[] {
    const { world, taken } = this
    const zone = new Intl.DateTimeFormat('en-CA', { timeZone: facts.timeZone, dateStyle: 'short' })
    const first = zone.format(world.start)
    if (facts.pacing === 'asap') {
      const days = new Set([first])
      return taken.map(({ at }) => cap * days.add(zone.format(at - 1)).size)
    }
    const masses = new Map<string, number>()
    // A campaign begins with the run: its first day is the rest of that day.
    for (let at = world.start; at < world.end + DAY_MS; at += CURVE_STEP_MS) {
      const day = zone.format(at)
      masses.set(day, (masses.get(day) ?? 0) + world.curve(at))
    }
    let planned = 0
    let until = world.start
    return taken.map(({ at }) => {
      while (until < at) {
        const next = Math.min(at, until + CURVE_STEP_MS)
        const part = (next - until) / CURVE_STEP_MS
        planned += (part * cap * world.curve(until)) / masses.get(zone.format(until))!
        until = next
      }
      return planned
    })
  }

  private outstanding(): Pick<Sample, 'leased' | 'held' | 'free'> {
    let leased = 0
    let held = 0
    let free = 0
    const { now } = this.world.events
    for (const worker of this.world.workers) {
      for (const { shard } of worker.held.values()) {
        for (const day of shard.days) {
          const reserved = reservedCopied(shard, day, now)
          const out = (day.leaseLeft + (day.draining ?? 0)) / 1000
          leased += out
          held += Math.max(0, reserved - out)
          free += Math.max(0, unspent(day.link) - reserved)
        }
      }
    }
    return { leased, held, free }
  }
}

/** The production rule lets holds lapse as it adds them up: it is given a copy, so that looking changes nothing. */
function reservedCopied(shard: Shard, day: ShardDay, now: number): number {
  const { calibration } = shard
  const copy = { ...day, renders: day.renders.map(([...hold]) => hold) }
  if (day.clicks !== undefined) copy.clicks = { ...day.clicks }
  return reserveTarget(
    calibration === undefined ? { ...shard } : { ...shard, calibration: { ...calibration } },
    copy,
    now,
  )
}

function worthShowing(campaigns: readonly CampaignFacts[]) {
  const bySize = [...campaigns].sort((a, b) => b.dailyCap / costOf(b) - a.dailyCap / costOf(a))
  const shown = new Map<CampaignFacts, string>()
  const show = (facts: CampaignFacts | undefined, why: string) => {
    if (facts !== undefined && !shown.has(facts)) shown.set(facts, why)
  }
  for (const facts of bySize.filter(({ pacing }) => pacing === 'even').slice(0, PACED_SHOWN)) {
    show(facts, 'paced')
  }
  const unpaced = bySize.filter(({ pacing }) => pacing === 'asap')
  show(unpaced[0], 'the largest')
  show(unpaced[Math.floor(unpaced.length / 2)], 'of middle size')
  show(unpaced.at(-1), 'the smallest')
  return [...shown].map(([facts, why]) => ({ facts, cap: facts.dailyCap, why }))
}

function isOver({ start, end }: DayBook, run: { readonly start: number; readonly end: number }): boolean {
  const ends = end ?? start + DAY_MS
  return ends <= run.end && ends - Math.max(run.start, start) >= JUDGED_MS
}

function costOf(facts: CampaignFacts): number {
  return facts.model === 'cpc' ? facts.amount : facts.amount / 1000
}
