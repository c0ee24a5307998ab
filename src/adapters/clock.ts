import { uptime } from 'node:os'
import { type ClockReading, SteadyTime } from '../core/steady-time.ts'
import type { Clock, EpochMs } from '../core/time.ts'

/** Crosses threads as it is: time less the monotonic clock of the thread that leads, and that clock at its last beat. */
export type SharedTime = Float64Array<SharedArrayBuffer>
const OFFSET = 0
const BEAT = 1

/** Boot clock and monotonic clock apart by so much: the machine slept. The boot clock counts whole seconds. */
const SLEEP_MS_MIN = 5000

/** The machine's own clocks, the wall clock shifted (FARTHING_CLOCK_OFFSET_MS). */
export function machineClocks(offsetMs: number): () => ClockReading {
  const bootAtZero = uptime() * 1000 - performance.now()
  let slept = 0
  return () => {
    const monotonic = performance.now()
    // The monotonic clock stands still while the machine sleeps; the boot clock does not.
    const asleep = uptime() * 1000 - bootAtZero - monotonic
    if (asleep - slept > SLEEP_MS_MIN) slept = asleep
    return { wall: Date.now() + offsetMs, elapsed: monotonic + slept }
  }
}

/**
 * The one clock of a process: all threads have their time from it. The thread that leads calls `beat` often; in between,
 * and on the other threads, time goes by the monotonic clock, so that a step of the wall clock is never seen unjudged.
 */
export class LeadingClock implements Clock {
  readonly shared: SharedTime = new Float64Array(new SharedArrayBuffer(16))
  private readonly time: SteadyTime
  private last = 0

  constructor(private readonly read: () => ClockReading) {
    this.time = new SteadyTime(read())
    this.beat()
  }

  now(): EpochMs {
    this.last = Math.max(this.last, Math.floor(performance.now() + this.shared[OFFSET]!))
    return this.last
  }

  /** Goes on from `time` where it is later. */
  notBefore(time: EpochMs): void {
    this.time.notBefore(time)
    this.beat()
  }

  /** Looks at the wall clock; returns by how much it jumped and is not followed, 0 where it is. */
  beat(): number {
    const reading = this.read()
    const time = this.time.advance(reading)
    const monotonic = performance.now()
    this.shared[OFFSET] = time - monotonic
    this.shared[BEAT] = monotonic
    return this.time.notFollowedMs(reading)
  }
}

/** The same time on another thread. Its monotonic clock counts from another moment: the least that it is seen ahead. */
export class FollowingClock implements Clock {
  private ahead = Number.POSITIVE_INFINITY
  private last = 0

  constructor(
    private readonly shared: SharedTime,
    private readonly monotonicNow = () => performance.now(),
  ) {}

  now(): EpochMs {
    const monotonic = this.monotonicNow()
    // A beat is seen late, by up to the time between two: never early, so the least is the nearest.
    this.ahead = Math.min(this.ahead, monotonic - this.shared[BEAT]!)
    this.last = Math.max(this.last, Math.floor(monotonic - this.ahead + this.shared[OFFSET]!))
    return this.last
  }
}
