import { DueTimes } from '../core/due-times.ts'
import type { ShardAccount } from './shard-account.ts'

const REST_MS_MAX = 4000
/** One whose money others want is looked at by the second all the same. */
const WANTED_MS = 6000
/** So many are given to others in a second. Of 100,000 that nobody chooses, most wait for their turn. */
const TRIES_A_SECOND = 256
const SLOT_MS = 250

/** Campaigns with money in the hands of nodes, by when those will have chosen nothing with it for a while. */
export class IdleShards {
  private readonly times = new DueTimes<ShardAccount>(SLOT_MS)
  private trying: ShardAccount[] = []

  /** Whether more wait than may be tried in a second. */
  get isCrowded(): boolean {
    return this.trying.length > 0
  }

  /** Has it looked at then, unless it is before. One that waits for its turn goes on waiting. */
  rest(shard: ShardAccount, at: number): void {
    if (shard.isTrying) return
    this.times.sooner(shard, at)
  }

  /** Calls for those that were not chosen since; `tryOther` says whether there was something to try, and rests it then. */
  take(now: number, tryOther: (shard: ShardAccount) => boolean): void {
    for (const shard of this.times.take(now)) {
      shard.isTrying = true
      this.trying.push(shard)
    }
    let tries = 0
    let at = 0
    for (; at < this.trying.length && tries < TRIES_A_SECOND; at++) {
      const shard = this.trying[at]!
      shard.isTrying = false
      // Chosen meanwhile: looking when it is due costs less than setting it anew at each choice.
      if (now - shard.usedAt < Math.min(shard.restMs, WANTED_MS)) {
        this.times.set(shard, shard.usedAt + shard.restMs)
      } else if (tryOther(shard)) {
        tries++
        shard.restMs = Math.min(REST_MS_MAX, 2 * shard.restMs)
        this.times.set(shard, now + shard.restMs)
      }
    }
    this.trying.splice(0, at)
  }
}
