import { MINUTE_MS } from '../src/core/time.ts'
import { Breach } from './budgets/audit/breach.ts'
import type { Watch } from './budgets/audit/watching-auditor.ts'
import { type Figures, figuresOf } from './budgets/figures.ts'
import { Samples } from './budgets/samples.ts'
import { World } from './budgets/world.ts'
import { type Job, scenarioOf } from './options.ts'
import { FLEET_CAMPAIGNS } from './sizes.ts'

/** What must hold did not: the run ended there. */
export interface BreachFound {
  readonly message: string
  /** Of the breach; null where it concerns none, or is an assertion of the protocol's own. */
  readonly campaign: number | null
  readonly node: number | null
  /** Virtual time, from the start of the run. */
  readonly afterMs: number
}

export interface Outcome {
  readonly job: Job
  readonly figures: Figures
  readonly breach: BreachFound | null
}

export interface Hooks {
  /** The share of the run that is done, and the charges until then. */
  readonly onProgress?: (share: number, charges: number) => void
  /** Takes samples for the report. */
  readonly samples?: boolean
  /** Keeps the latest of what concerns a campaign or a node. */
  readonly watch?: Watch
}

/** Between two steps progress is told and samples are taken: both only read, so that the run is the same without them. */
const STEPS = 192
const DRAIN_STEPS = 60
/** A look at all shards of a fleet takes as long as a second of its time. */
const STEPS_A_SAMPLE = 6
/** Of a fleet there are gigabytes, and the collector would let as much again pile up: no more than this, beside a small run's. */
const GARBAGE_SHARE = 0.3
const GARBAGE_BYTES = 2 ** 28
/** Fewer events make no gigabytes; to ask how much memory there is at each step took 4% of a small run. */
const GARBAGE_EVENTS = 50_000
/** Of the work of a run, about. */
const DRAIN_SHARE = 0.1

/** Runs a job to its end or to the first breach. */
export function runJob(job: Job, hooks: Hooks = {}): Outcome & Seen {
  const world = new World(scenarioOf(job), job.seed, hooks.watch ?? null)
  const samples = hooks.samples === true ? new Samples(world) : null
  let breach: BreachFound | null = null
  const sampledEach = world.scenario.campaigns >= FLEET_CAMPAIGNS ? STEPS_A_SAMPLE : 1
  let kept = process.memoryUsage.rss()
  let happened = 0
  try {
    for (let step = 1; step <= STEPS + DRAIN_STEPS; step++) {
      const share = Math.min(1, step / STEPS)
      const drained = Math.max(0, step - STEPS) / DRAIN_STEPS
      happened += world.runUntil(
        world.start + (world.end - world.start) * share + (world.drained - world.end) * drained,
      )
      if (step <= STEPS && step % sampledEach === 0) samples?.take()
      if (happened >= GARBAGE_EVENTS) {
        happened = 0
        if (process.memoryUsage.rss() > kept * (1 + GARBAGE_SHARE) + GARBAGE_BYTES) {
          Bun.gc(true)
          kept = process.memoryUsage.rss()
        }
      }
      if (step === STEPS + DRAIN_STEPS) world.auditor.checkDrained(world.workers)
      hooks.onProgress?.(share * (1 - DRAIN_SHARE) + drained * DRAIN_SHARE, world.auditor.events.charges)
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const { campaign, node } = error instanceof Breach ? error.of : { campaign: null, node: null }
    breach = { message: error.message, campaign, node, afterMs: world.events.now - world.start }
  }
  return { job, figures: figuresOf(world, job.seed), breach, samples, history: world.auditor.history() }
}

export interface Seen {
  readonly samples: Samples | null
  /** The latest that concerned what was watched, oldest first. */
  readonly history: readonly string[]
}

/** As people read virtual time: `1h 02m 03.456s`. */
export function clock(ms: number): string {
  const minutes = Math.floor(ms / MINUTE_MS)
  const seconds = ((ms % MINUTE_MS) / 1000).toFixed(3).padStart(6, '0')
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, '0')}m ${seconds}s`
}
