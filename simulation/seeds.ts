import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Job } from './options.ts'
import type { Outcome } from './run.ts'

/**
 * Runs jobs over the cores of the machine, each core a process that lives for many of them. Answers come in any order,
 * and are given back in the order of the jobs. After the first breach no more are begun.
 */
export async function runJobs(
  jobs: readonly Job[],
  onDone: (done: readonly Outcome[]) => void,
): Promise<Outcome[]> {
  const outcomes = new Map<Job, Outcome>()
  let next = 0
  let breached = false
  const work = async () => {
    const child = new Child()
    try {
      while (next < jobs.length && !breached) {
        const job = jobs[next++]!
        const outcome = await child.run(job)
        outcomes.set(job, outcome)
        breached ||= outcome.breach !== null
        onDone([...outcomes.values()])
      }
    } finally {
      child.end()
    }
  }
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), jobs.length) }, work))
  return jobs.flatMap(job => outcomes.get(job) ?? [])
}

class Child {
  private answered: PromiseWithResolvers<Outcome> | null = null
  private readonly process = Bun.spawn([process.execPath, join(import.meta.dir, 'seeds-child.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    serialization: 'json',
    ipc: (outcome: Outcome) => this.answered?.resolve(outcome),
    onExit: (_, code) => this.answered?.reject(new Error(`a process of the simulation ended with ${code}`)),
  })

  run(job: Job): Promise<Outcome> {
    this.answered = Promise.withResolvers<Outcome>()
    this.process.send(job)
    return this.answered.promise
  }

  end(): void {
    this.answered = null
    this.process.kill()
  }
}
