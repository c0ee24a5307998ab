import { MINUTE_MS } from '../../core/time.ts'
import type { RequestsRecord } from '../../records/events.ts'

/** Requests by minute, placement, country and device since the last report to the log. */
export class RequestCounts {
  private counts = new Map<
    string,
    { key: readonly [number, number, number, number, number]; requests: number }
  >()

  add(now: number, placement: number, publisher: number, country: number, device: number): void {
    const minute = Math.floor(now / MINUTE_MS) * MINUTE_MS
    const name = `${minute}|${placement}|${publisher}|${country}|${device}`
    const known = this.counts.get(name)
    if (known === undefined)
      this.counts.set(name, { key: [minute, placement, publisher, country, device], requests: 1 })
    else known.requests++
  }

  take(): RequestsRecord['minutes'] {
    if (this.counts.size === 0) return []
    const taken = [...this.counts.values()].map(({ key, requests }) => {
      const [minute, placement, publisher, country, device] = key
      return { minute, placement, publisher, country, device, requests }
    })
    this.counts = new Map()
    return taken
  }
}
