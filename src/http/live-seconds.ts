import { type LiveFigures, type LiveSecond, SECONDS_SHOWN } from '../console/live-figures.ts'
import { SECOND_MS } from '../core/time.ts'
import type { Counters } from './edge/counters.ts'
import type { Status } from './status.ts'

interface Totals {
  served: number
  shown: number
  clicked: number
  charged: number
  refused: number
}

/** The last minutes, second by second, so that a page that comes late has them too. Bounded by SECONDS_SHOWN. */
export class LiveSeconds {
  private readonly seconds: LiveSecond[] = []
  private last: Totals
  private number = 0
  private readonly timer: ReturnType<typeof setInterval>

  constructor(
    private readonly counters: Counters,
    private readonly status: Status,
  ) {
    this.last = this.totals()
    this.timer = setInterval(() => this.take(), SECOND_MS)
  }

  /** What anybody may see: counts of the whole installation, no account's. */
  figures(after: number | null): LiveFigures {
    const { number, seconds, status } = this
    // Who knows a later second knew an earlier start of this server.
    const known = after === null ? number : after > number ? 0 : after
    const missed = Math.min(number - known, seconds.length)
    return {
      ...status,
      counters: this.counters.values,
      second: number,
      seconds: missed === 0 ? [] : seconds.slice(-missed),
    }
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private take(): void {
    const now = this.totals()
    this.seconds.push({
      served: now.served - this.last.served,
      shown: now.shown - this.last.shown,
      clicked: now.clicked - this.last.clicked,
      charged: now.charged - this.last.charged,
      refused: now.refused - this.last.refused,
      lagMs: Math.round(this.status.lagMs),
    })
    if (this.seconds.length > SECONDS_SHOWN) this.seconds.shift()
    this.last = now
    this.number++
  }

  private totals(): Totals {
    const { bids, impressions, clicks } = this.counters.values
    const { charged } = this.status
    let refused = 0
    for (const count of Object.values(this.status.refused)) refused += count
    return { served: bids, shown: impressions, clicked: clicks, charged, refused }
  }
}
