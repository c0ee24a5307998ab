/** `./farthing bench [--short] [--strict] [--json FILE]`: what Farthing costs here, each figure beside its limit. */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { UsageError } from '../src/config.ts'
import { areCaptured } from '../test/captured-requests.ts'
import { SECTIONS } from './sections.ts'
import { missedGoals, Table } from './table.ts'

export async function bench(args: readonly string[]): Promise<number> {
  const { short, strict, json } = readArguments(args)
  if (!areCaptured) console.log('The captured requests are not here: made-up ones stand in.')
  const startedAt = performance.now()
  const secondsSoFar = () => (performance.now() - startedAt) / 1000
  const table = new Table()
  const details: Record<string, unknown> = {}
  const sections = Object.entries(SECTIONS)
  for (const [at, [name, run]] of sections.entries()) {
    console.error(`${secondsSoFar().toFixed(0).padStart(5)} s  ${at + 1} of ${sections.length}: ${name}`)
    details[name] = await run(table, short)
  }
  const seconds = secondsSoFar()

  table.print()
  console.log(`\n${seconds.toFixed(0)} s on ${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}`)
  if (json !== null) {
    writeFileSync(
      json,
      `${JSON.stringify({ at: new Date(), short, seconds, rows: table.rows, details }, null, 2)}\n`,
    )
  }
  const missed = missedGoals(table.rows)
  if (missed.length > 0) console.log(`\nGoals missed: ${missed.map(({ what }) => what).join('; ')}`)
  return strict && missed.length > 0 ? 1 : 0
}

function readArguments(args: readonly string[]): { short: boolean; strict: boolean; json: string | null } {
  let short = false
  let strict = false
  let json: string | null = null
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--short') short = true
    else if (args[i] === '--strict') strict = true
    else if (args[i] === '--json' && args[i + 1] !== undefined) json = args[++i]!
    else throw new UsageError(`There is no option ${args[i]}. There is --short, --strict, --json FILE.`)
  }
  return { short, strict, json }
}
