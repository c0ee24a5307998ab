import { commandOf } from './options.ts'
import type { Progress } from './progress.ts'
import { clock, runJob } from './run.ts'
import { type Failing, shrink } from './shrink.ts'

/** For so long a smaller run with the same breach is looked for. */
const SHRINK_MS_MAX = 60_000

/** What a breach comes down to. */
export interface BreachReport {
  readonly message: string
  readonly scenario: string
  readonly seed: number
  readonly after: string
  readonly campaign: number | null
  readonly node: number | null
  /** Of the smallest run that was found, and its command line. */
  readonly history: readonly string[]
  readonly command: string
}

export function investigate(failing: Failing, progress: Progress): BreachReport {
  const until = performance.now() + SHRINK_MS_MAX
  const { job, breach } = shrink(
    failing,
    smaller => {
      progress.say(`a breach; trying ${commandOf(smaller)}`)
      return runJob(smaller).breach
    },
    () => performance.now() > until,
  )
  const { history } = runJob(job, { watch: { campaign: breach.campaign, node: breach.node } })
  progress.end()
  return {
    message: failing.breach.message,
    scenario: job.scenario,
    seed: job.seed,
    after: clock(failing.breach.afterMs),
    campaign: breach.campaign,
    node: breach.node,
    history,
    command: commandOf(job),
  }
}

export function breachText({ message, scenario, seed, after, history, command }: BreachReport): string {
  return [
    '',
    `BREACH after ${after} of scenario ${scenario}, seed ${seed}: ${message}`,
    '',
    'The latest before it, in the smallest run that was found:',
    ...history.map(line => `  ${line}`),
    '',
    `To see it again: ${command}`,
  ].join('\n')
}
