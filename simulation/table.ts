import type { Summary } from './aggregate.ts'
import { faultsText } from './budgets/faults.ts'
import { goalText, isMet, textOf } from './goals.ts'

/** What a terminal shows: of one scenario a line for each figure, of many a line for each scenario. */
export function table(all: readonly Summary[]): string {
  return all.length === 1 ? byFigure(all[0]!) : byScenario(all)
}

function byFigure({ scenario, seeds, charges, faults, rows }: Summary): string {
  const many = seeds > 1
  const head = ['', ...(many ? ['worst', 'mean', 'worst seed'] : ['figure']), 'goal', '']
  const lines = rows.map(({ worst, mean, worstSeed }) => [
    worst.what,
    textOf(worst.figure, worst.unit),
    ...(many ? [textOf(mean, worst.unit), String(worstSeed)] : []),
    goalText(worst),
    isMet(worst) ? '' : 'missed',
  ])
  const title = `${scenario.name}: ${scenario.about}`
  const footer = `${charges.toLocaleString('en')} charges${many ? ` over ${seeds} seeds` : ''}`
  return [title, '', aligned([head, ...lines]), '', footer, `Went wrong: ${faultsText(faults)}.`].join('\n')
}

/** Figures that have a goal in some scenario, `!` where they miss it in the worst seed. */
function byScenario(all: readonly Summary[]): string {
  const columns = all[0]!.rows.map((_, at) => at)
  const shown = columns.filter(at => all.some(({ rows }) => rows[at]!.worst.goal !== null))
  const names: Record<string, string> = {
    overbilledMicros: 'billed over',
    givenAwayShare: 'given away',
    deliveredShare: 'delivered',
    stopMsP99: 'stop p99',
    cutOffStopMsP99: 'cut off',
    pacingError: 'pacing error',
    messagesPerCharge: 'messages/charge',
  }
  const head = ['', ...shown.map(at => names[all[0]!.rows[at]!.worst.key]!), 'charges']
  const lines = all.map(({ scenario, rows, charges }) => [
    scenario.name,
    ...shown.map(at => {
      const { worst } = rows[at]!
      const goal =
        worst.goal === null ? '' : ` (${goalText(worst).replace('at most', '<=').replace('at least', '>=')})`
      return `${isMet(worst) ? '' : '! '}${textOf(worst.figure, worst.unit)}${goal}`
    }),
    charges.toLocaleString('en'),
  ])
  const seeds = all[0]!.seeds
  const footer = `${seeds > 1 ? `The worst of ${seeds} seeds each. ` : ''}! misses its goal.`
  return [aligned([head, ...lines]), '', footer].join('\n')
}

function aligned(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, at) => Math.max(...lines.map(line => line[at]!.length)))
  return lines
    .map(line =>
      line
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
