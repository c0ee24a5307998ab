import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/** Nice 10 is a ninth of the weight of nice 0: what is left of the cores is for billing, and all of them when idle. */
const NICE = 10

/**
 * Where all cores are busy, the calling thread leaves them to those that answer requests. Linux keeps a priority for
 * each thread; elsewhere nothing changes. Measured on 2 cores under full load: see docs/performance.md.
 */
export function yieldToServing(): void {
  if (process.platform !== 'linux') return
  const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  setPriority(thread, NICE)
}
