import { HOUR_MS } from '../src/core/time.ts'
import { type Job, scenarioOf } from './options.ts'
import type { BreachFound } from './run.ts'
import type { Size } from './sizes.ts'

/** A job that breaches, and how. */
export interface Failing {
  readonly job: Job
  readonly breach: BreachFound
}

const TRIES_MAX = 60
/** Virtual time that a run goes on after the breach that it is cut at: the event of the breach is within it. */
const CUT_SLACK_HOURS = 0.01

/**
 * Looks for the smallest run of the same seed that still breaches: shorter, then fewer campaigns, nodes and regions, each
 * by halves and then by less. `fails` runs a job; no more runs begin after `deadline`.
 */
export function shrink(
  failing: Failing,
  fails: (job: Job) => BreachFound | null,
  deadline: () => boolean,
): Failing {
  let best: Failing = { ...failing, job: { ...failing.job, size: sizeNow(failing.job) } }
  let tries = 0
  const attempt = (size: Partial<Size>): boolean => {
    if (tries >= TRIES_MAX || deadline()) return false
    tries++
    const job = { ...best.job, size: { ...best.job.size, ...size } }
    const breach = fails(job)
    if (breach !== null) best = { job, breach }
    return breach !== null
  }
  const cut = () => {
    const hours = Math.max(0.01, Number((best.breach.afterMs / HOUR_MS + CUT_SLACK_HOURS).toFixed(3)))
    if (hours < best.job.size.hours! * 0.9) attempt({ hours })
  }
  cut()
  for (const name of ['campaigns', 'nodes', 'regions'] as const) {
    for (const part of [1 / 2, 3 / 4, 7 / 8]) {
      for (;;) {
        const now = best.job.size[name]!
        const less = Math.max(1, Math.floor(now * part))
        if (less === now || !attempt({ [name]: less })) break
      }
    }
    cut()
  }
  return best
}

function sizeNow(job: Job): Size {
  const { nodes, campaigns, regions, hours } = scenarioOf(job)
  return { ...job.size, nodes, campaigns, regions, hours }
}
