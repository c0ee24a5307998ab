import { type Job, scenarioOf } from './options.ts'
import { FLEET_CAMPAIGNS } from './sizes.ts'

/**
 * The engine's collector lets as much garbage pile up as is in use, until that is a quarter of the machine's memory. Told
 * that the machine has no more than this it collects after each further quarter of what is in use.
 */
const TOLD_BYTES = 10 ** 9
const SETTING = 'BUN_JSC_forceRAMSize'

/** Whether the jobs are better run in a process that spares memory, and this is none. */
export function wantsSparing(jobs: readonly Job[], environment: Record<string, string | undefined>): boolean {
  return environment[SETTING] === undefined && jobs.some(job => scenarioOf(job).campaigns >= FLEET_CAMPAIGNS)
}

/** Runs this command again, in a process that spares memory: the engine reads its settings as it starts. Returns how it ended. */
export async function runSparing(): Promise<number> {
  const child = Bun.spawn([process.execPath, ...process.argv.slice(1)], {
    env: { ...Bun.env, [SETTING]: String(TOLD_BYTES) },
    stdio: ['inherit', 'inherit', 'inherit'],
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  return child.exited
}
