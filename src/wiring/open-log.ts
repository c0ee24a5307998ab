import { LogClient, type LogClientOptions } from '../adapters/sqlite/log-client.ts'

/** Starts the log thread. */
export function openLog(options: LogClientOptions): Promise<LogClient> {
  return LogClient.open(new Worker(new URL('./log-thread.ts', import.meta.url)), options)
}
