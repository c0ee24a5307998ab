import type { Logger } from 'pino'
import { LeadingClock } from '../adapters/clock.ts'
import type { ClockReading } from '../core/steady-time.ts'

/** The wall clock is looked at this often; it may run ahead of the others' time by as much. */
const BEAT_MS = 20

/** Starts the clock of the process, and says in the log when the wall clock is not followed, and when it is again. */
export function keepTime(
  clocks: () => ClockReading,
  logger: Logger,
): { readonly clock: LeadingClock; stop(): void } {
  const clock = new LeadingClock(clocks)
  let followed = true
  const beating = setInterval(() => {
    const jumpedMs = clock.beat()
    if ((jumpedMs === 0) === followed) return
    followed = jumpedMs === 0
    if (followed) logger.warn('the wall clock is right again and is followed')
    else logger.warn({ jumpedMs }, 'the wall clock jumped alone and is not followed; a restart would take it')
  }, BEAT_MS)
  beating.unref()
  return { clock, stop: () => clearInterval(beating) }
}
