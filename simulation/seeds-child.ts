/** A process of `simulation/seeds.ts`: runs the jobs that it is sent, one after the other. */
import type { Job } from './options.ts'
import { runJob } from './run.ts'

process.on('message', (job: Job) => {
  const { figures, breach } = runJob(job)
  process.send!({ job, figures, breach })
})
process.on('disconnect', () => process.exit(0))
