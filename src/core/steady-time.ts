import { type EpochMs, MINUTE_MS } from './time.ts'

/** A step of the wall clock beyond this needs another witness: the boot clock, or a restart. */
export const STEP_MS_MAX = MINUTE_MS
/** Where time is ahead of the wall clock it runs so much slower, until that has caught up: an hour takes 20. */
const SLOWER = 1 / 20

/** What the machine's clocks say, in one moment. */
export interface ClockReading {
  /** The wall clock: may be set, forward and back, by anybody. */
  readonly wall: EpochMs
  /** Ms since some moment, the machine's sleep included. Never set. */
  readonly elapsed: number
}

/**
 * Time that follows the wall clock and is not fooled by it. It never goes back.
 *
 *   wall clock agrees, to a minute, with what elapsed  -> it is followed: forward at once, back by running slower
 *   both jumped (the machine slept)                    -> followed: so much time has passed
 *   the wall clock jumped alone                        -> not followed until it is back, or the process starts anew
 *
 * A budget's day that opens early, or a token that expires or never does, costs more than a clock that is late.
 */
export class SteadyTime {
  private time: EpochMs
  private elapsed: number
  /** Wall time less elapsed time, as last agreed. */
  private agreed: number

  constructor({ wall, elapsed }: ClockReading) {
    this.time = wall
    this.elapsed = elapsed
    this.agreed = wall - elapsed
  }

  /** Goes on from `time` where it is later: the log has seen that time already. */
  notBefore(time: EpochMs): void {
    this.time = Math.max(this.time, time)
  }

  /** The time at this reading. */
  advance({ wall, elapsed }: ClockReading): EpochMs {
    const step = wall - elapsed - this.agreed
    if (Math.abs(step) <= STEP_MS_MAX) this.agreed += step
    const passed = Math.max(0, elapsed - this.elapsed)
    const target = elapsed + this.agreed
    this.elapsed = elapsed
    this.time = target >= this.time + passed ? target : Math.max(target, this.time + passed * (1 - SLOWER))
    return this.time
  }

  /** How far the wall clock is from where it was last agreed with; 0 while it is followed. */
  notFollowedMs({ wall, elapsed }: ClockReading): number {
    const step = wall - elapsed - this.agreed
    return Math.abs(step) <= STEP_MS_MAX ? 0 : step
  }
}
