import { MINUTE_MS } from '../../core/time.ts'
import type { RequestsRecord } from '../../records/events.ts'

type Row = { -readonly [Name in keyof RequestsRecord['minutes'][number]]: number }

/** Rows of one record: as JSON at most 140 bytes each, so that it stays well below the largest record of the log. */
export const ROWS_TAKEN_MAX = 4000
/** Rows that wait. What comes on top is counted for its minute alone. */
const ROWS_KEPT_MAX = 65_536
/** Above the numbers of countries and of devices: 16 and 8 bits, as in a token. */
const COUNTRIES = 2 ** 16
const DEVICES = 2 ** 8

/** Requests by minute, placement, country and device since the last report to the log. */
export class RequestCounts {
  /** By inventory, then by minute, country and device. Keys are numbers: texts to look up by took 0.5 us a request. */
  private readonly byInventory = new Map<number, Map<number, Row>>()
  private rows = 0

  add(now: number, placement: number, publisher: number, country: number, device: number): void {
    const minute = Math.floor(now / MINUTE_MS)
    // A placement has one publisher for life.
    const inventory = placement !== 0 ? placement : -publisher
    const key = (minute * COUNTRIES + country) * DEVICES + device
    let rows = this.byInventory.get(inventory)
    const known = rows?.get(key)
    if (known !== undefined) {
      known.requests++
      return
    }
    if (this.rows >= ROWS_KEPT_MAX && placement + publisher + country + device !== 0) {
      this.add(now, 0, 0, 0, 0)
      return
    }
    if (rows === undefined) {
      rows = new Map()
      this.byInventory.set(inventory, rows)
    }
    rows.set(key, { minute: minute * MINUTE_MS, placement, publisher, country, device, requests: 1 })
    this.rows++
  }

  /** As many rows as one record holds; what is left comes with the next call. */
  take(): RequestsRecord['minutes'] {
    const taken: Row[] = []
    for (const [inventory, rows] of this.byInventory) {
      for (const [key, row] of rows) {
        if (taken.length === ROWS_TAKEN_MAX) return this.without(taken)
        taken.push(row)
        rows.delete(key)
      }
      this.byInventory.delete(inventory)
    }
    return this.without(taken)
  }

  private without(taken: Row[]): Row[] {
    this.rows -= taken.length
    return taken
  }
}
