/** What a process takes, as Linux says. */
import { readdirSync, readFileSync } from 'node:fs'

/** Of a clock tick of /proc, which is a hundredth of a second on every Linux that Bun runs on. */
const TICK_SECONDS = 0.01

/** Of all threads, since its start. */
export function cpuSecondsOf(pid: number): number {
  return cpuIn(`/proc/${pid}/stat`)
}

/** By thread. */
export function threadSecondsOf(pid: number): Map<number, number> {
  const threads = new Map<number, number>()
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      threads.set(Number(thread), cpuIn(`/proc/${pid}/task/${thread}/stat`))
    } catch {
      // It ended meanwhile.
    }
  }
  return threads
}

/** Of the thread that a process began with: the one that serves. */
export function firstThreadSecondsOf(pid: number): number {
  return cpuIn(`/proc/${pid}/task/${pid}/stat`)
}

/** Resident, MB of 2^20 bytes. */
export function residentMbOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

function cpuIn(path: string): number {
  const stat = readFileSync(path, 'latin1')
  // The name in brackets may hold spaces: user and system time are the 12th and 13th field behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS
}
