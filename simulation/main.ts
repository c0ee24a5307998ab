/** `./farthing simulate`: the production code of the budgets in a simulated world, each figure beside its goal. */
import { writeFileSync } from 'node:fs'
import { jsonOf, summaries } from './aggregate.ts'
import { breachText, investigate } from './breach.ts'
import { SCENARIOS } from './budgets/scenarios.ts'
import { compare, comparisonTable } from './compare.ts'
import { isMet } from './goals.ts'
import { type Options, readOptions } from './options.ts'
import { Progress } from './progress.ts'
import { reportPage } from './report/page.ts'
import { type Outcome, runJob, type Seen } from './run.ts'
import { runJobs } from './seeds.ts'
import { runSparing, wantsSparing } from './sparing.ts'
import { table } from './table.ts'

export async function simulate(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (options.list) {
    const wide = Math.max(...SCENARIOS.map(({ name }) => name.length))
    for (const { name, about } of SCENARIOS) console.log(`${name.padEnd(wide)}  ${about}`)
    return 0
  }
  if (wantsSparing(options.jobs, Bun.env)) return runSparing()
  const progress = new Progress()
  if (options.compare) return showComparison(options, progress)
  const startedAt = process.cpuUsage()
  const { jobs } = options
  let outcomes: Outcome[]
  let seen: (Outcome & Seen)[] = []
  if (jobs.length === 1) {
    const [job] = jobs
    const run = runJob(job!, {
      samples: options.html !== null,
      onProgress: (share, charges) =>
        progress.say(`${job!.scenario}, seed ${job!.seed}: ${Math.floor(share * 100)}%, ${charges} charges`),
    })
    outcomes = [run]
    seen = [run]
  } else {
    outcomes = await runJobs(jobs, done => {
      const charges = done.reduce((sum, { figures }) => sum + figures.charges, 0)
      progress.say(`${done.length} of ${jobs.length} runs, ${charges} charges`)
    })
  }
  const cpu = process.cpuUsage(startedAt)
  progress.end()

  const failing = outcomes.find(({ breach }) => breach !== null)
  const breach =
    failing === undefined ? null : investigate({ job: failing.job, breach: failing.breach! }, progress)
  if (options.html !== null) {
    if (seen.length === 0) seen = worthDrawing(outcomes, progress)
    writeFileSync(options.html, reportPage({ outcomes, drawn: seen, breach }))
  }
  const all = summaries(outcomes)
  if (options.json) process.stdout.write(`${JSON.stringify(jsonOf(outcomes, breach))}\n`)
  else {
    console.log(table(all))
    if (jobs.length === 1) {
      const { figures } = outcomes[0]!
      const micros = (cpu.user + cpu.system) / Math.max(1, figures.charges)
      console.log(
        `${((cpu.user + cpu.system) / 1e6).toFixed(1)} s of CPU, ${micros.toFixed(0)} us a charge, ${figures.requests.toLocaleString('en')} requests in ${figures.hours.toFixed(2)} hours`,
      )
    }
  }
  if (breach !== null) {
    console.error(breachText(breach))
    return 1
  }
  const missed = all.some(({ rows }) => rows.some(({ worst }) => !isMet(worst)))
  return options.strict && missed ? 1 : 0
}

function showComparison({ jobs, json }: Options, progress: Progress): number {
  const seeds = [...new Set(jobs.map(({ seed }) => seed))]
  let begun = 0
  const rows = compare(jobs, run => progress.say(`${++begun} of ${jobs.length} comparisons: ${run}`))
  progress.end()
  if (json) process.stdout.write(`${JSON.stringify({ seeds, rows })}\n`)
  else console.log(comparisonTable(rows, seeds.length))
  return 0
}

/** Of many runs the page draws the worst one of each scenario: they are run again, with samples. */
function worthDrawing(outcomes: readonly Outcome[], progress: Progress): (Outcome & Seen)[] {
  const drawn = summaries(outcomes).map(({ scenario, rows }) => {
    const missed =
      rows.find(({ worst }) => !isMet(worst)) ?? rows.find(({ worst }) => worst.key === 'givenAwayShare')!
    const { job } = outcomes.find(
      ({ figures }) => figures.scenario === scenario.name && figures.seed === missed.worstSeed,
    )!
    return runJob(job, {
      samples: true,
      onProgress: share =>
        progress.say(`for the page, ${job.scenario}, seed ${job.seed}: ${Math.floor(share * 100)}%`),
    })
  })
  progress.end()
  return drawn
}
