import type { CatalogChange } from '../campaigns/campaign.ts'
import type { CommandOutcome } from '../ports/control.ts'
import type { LogRecord } from '../ports/event-log.ts'
import type { LeaseGrant } from '../ports/treasury-link.ts'
import type { Changes } from './changes.ts'

/** What the rest of the program hears after a commit. */
export interface Decided {
  readonly outcomes: readonly { requestId: string; outcome: CommandOutcome }[]
  readonly catalog: readonly CatalogChange[]
  /** ad, placement, impressions, clicks, one after the other. */
  readonly observed: readonly number[]
  readonly grants: readonly LeaseGrant[]
  readonly decided: number
  readonly charged: number
  /** By the number of the reason. */
  readonly refused: readonly number[]
  /** Events that had been seen before. */
  readonly repeated: number
  readonly lagMs: number
}

export const NOTHING_DECIDED: Decided = {
  outcomes: [],
  catalog: [],
  observed: [],
  grants: [],
  decided: 0,
  charged: 0,
  refused: [],
  repeated: 0,
  lagMs: 0,
}

export function decidedBy(changes: Changes, records: readonly LogRecord[], now: number): Decided {
  let charged = 0
  let repeated = 0
  for (const times of changes.repeats.values()) repeated += times
  for (const { times } of changes.tokenRepeats.values()) repeated += times
  const observed: number[] = []
  for (const { ad, placement, charges, observedImpressions, observedClicks } of changes.rollups.values()) {
    charged += charges
    if (observedImpressions + observedClicks > 0) {
      observed.push(ad, placement, observedImpressions, observedClicks)
    }
  }
  return {
    outcomes: changes.outcomes,
    catalog: changes.catalog,
    observed,
    grants: [],
    decided: records.length,
    charged,
    refused: changes.refused,
    repeated,
    lagMs: Math.max(0, now - records.at(-1)!.appendedAt),
  }
}
