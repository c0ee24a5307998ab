import { LeadingClock, machineClocks } from '../adapters/clock.ts'
import { LogClient, type LogClientOptions } from '../adapters/sqlite/log-client.ts'

/** Starts the log thread. Without a time it has one of its own. */
export function openLog(
  options: Omit<LogClientOptions, 'time'> & Partial<Pick<LogClientOptions, 'time'>>,
): Promise<LogClient> {
  const time = options.time ?? new LeadingClock(machineClocks(0)).shared
  return LogClient.open(new Worker(new URL('./log-thread.ts', import.meta.url)), { ...options, time })
}
