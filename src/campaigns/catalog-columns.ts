import { assert } from '../core/assert.ts'

/**
 * What changes by the second, by campaign slot or ad slot, outside the snapshots. Slots are dense and stable for life,
 * so the columns are reserved once at their bound and never move: no swap can lose a write. The pages of a column that
 * nobody touched cost no memory.
 */
export const CAMPAIGN_SLOTS_MAX = 1 << 20
export const AD_SLOTS_MAX = 1 << 22

/** Why a campaign may not be chosen now, as bits. Anything but 0 stops it. */
export const Stop = {
  paused: 1,
  money: 2,
  scheduled: 4,
  daypart: 8,
  ended: 16,
} as const

/** Shared by the builder (who writes them, but for the click rates) and all edges. Crosses threads as it is. */
export interface SharedColumns {
  readonly stopped: Uint8Array<SharedArrayBuffer>
  /** The campaign's number, written once, before the slot appears in a snapshot. */
  readonly campaignNumbers: Float64Array<SharedArrayBuffer>
  /** Learned click rate by ad slot, billionths; 0 is "not yet learned". Written by ClickRates. */
  readonly clickRatePpb: Uint32Array<SharedArrayBuffer>
}

/** One edge's own: written by its thread alone; others (explain) may read. */
export interface EdgeColumns {
  /** Money that this edge may still choose with, thousandths of a micro: grants add, choices subtract. */
  readonly allowanceThousandths: Float64Array<SharedArrayBuffer>
  /** Share of eligible requests that the campaign bids on. Comes with the grant: 0 until there was one. */
  readonly pacing: Float32Array<SharedArrayBuffer>
  /** Counts choices, so that equal ads take turns. */
  readonly turns: Uint32Array<SharedArrayBuffer>
  /** The day whose money that is, ms since the epoch; an end of 0 where there was no grant. */
  readonly dayStart: Float64Array<SharedArrayBuffer>
  readonly dayEnd: Float64Array<SharedArrayBuffer>
}

export function newSharedColumns(): SharedColumns {
  return {
    stopped: new Uint8Array(new SharedArrayBuffer(CAMPAIGN_SLOTS_MAX)),
    campaignNumbers: new Float64Array(new SharedArrayBuffer(CAMPAIGN_SLOTS_MAX * 8)),
    clickRatePpb: new Uint32Array(new SharedArrayBuffer(AD_SLOTS_MAX * 4)),
  }
}

export function newEdgeColumns(): EdgeColumns {
  return {
    allowanceThousandths: new Float64Array(new SharedArrayBuffer(CAMPAIGN_SLOTS_MAX * 8)),
    pacing: new Float32Array(new SharedArrayBuffer(CAMPAIGN_SLOTS_MAX * 4)),
    turns: new Uint32Array(new SharedArrayBuffer(CAMPAIGN_SLOTS_MAX * 4)),
    dayStart: new Float64Array(new SharedArrayBuffer(CAMPAIGN_SLOTS_MAX * 8)),
    dayEnd: new Float64Array(new SharedArrayBuffer(CAMPAIGN_SLOTS_MAX * 8)),
  }
}

/** Gives out dense numbers for entity numbers, for life. */
export class Slots {
  private readonly byNumber = new Map<number, number>()

  constructor(private readonly slotsMax: number) {}

  get count(): number {
    return this.byNumber.size
  }

  of(entity: number): number {
    return this.byNumber.get(entity) ?? -1
  }

  /** -1 once all slots are taken. */
  take(entity: number): number {
    const known = this.byNumber.get(entity)
    if (known !== undefined) return known
    const slot = this.byNumber.size
    if (slot >= this.slotsMax) return -1
    assert(entity > 0, 'an entity number is positive')
    this.byNumber.set(entity, slot)
    return slot
  }
}
