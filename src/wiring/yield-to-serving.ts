import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/** Nice 10 is a ninth of the weight of nice 0: what is left of the cores is for billing, and all of them when idle. */
const NICE = 10

/**
 * Where all cores are busy, the calling thread leaves them to those that answer requests. Linux keeps a priority for
 * each thread; elsewhere, and where there is no /proc, nothing changes: why is in docs/decisions.
 */
export function yieldToServing(): void {
  if (process.platform !== 'linux') return
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    setPriority(thread, NICE)
  } catch {
    // Without it billing is right all the same, and clicks wait longer under full load.
  }
}
