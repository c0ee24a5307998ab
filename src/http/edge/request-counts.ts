import { MINUTE_MS } from '../../core/time.ts'
import type { RequestsRecord } from '../../records/events.ts'

type Row = RequestsRecord['minutes'][number]

/** Rows of one record: as JSON at most 140 bytes each, so that it stays well below the largest record of the log. */
export const ROWS_TAKEN_MAX = 4000
/** Rows that wait. What comes on top is counted for its minute alone. */
const ROWS_KEPT_MAX = 65_536

/** Requests by minute, placement, country and device since the last report to the log. */
export class RequestCounts {
  private readonly rows = new Map<string, { readonly row: Omit<Row, 'requests'>; requests: number }>()

  add(now: number, placement: number, publisher: number, country: number, device: number): void {
    const minute = Math.floor(now / MINUTE_MS) * MINUTE_MS
    const name = `${minute}|${placement}|${publisher}|${country}|${device}`
    const known = this.rows.get(name)
    if (known !== undefined) known.requests++
    else if (this.rows.size < ROWS_KEPT_MAX || placement + publisher + country + device === 0) {
      this.rows.set(name, { row: { minute, placement, publisher, country, device }, requests: 1 })
    } else this.add(now, 0, 0, 0, 0)
  }

  /** The oldest rows, as many as one record holds; what is left comes with the next call. */
  take(): RequestsRecord['minutes'] {
    const taken: Row[] = []
    for (const [name, { row, requests }] of this.rows) {
      if (taken.length === ROWS_TAKEN_MAX) break
      taken.push({ ...row, requests })
      this.rows.delete(name)
    }
    return taken
  }
}
