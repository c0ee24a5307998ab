import { type Summary, summaries } from '../aggregate.ts'
import type { BreachReport } from '../breach.ts'
import { faultsText } from '../budgets/faults.ts'
import type { Samples } from '../budgets/samples.ts'
import { goalText, isMet, type Row, rowsOf, textOf } from '../goals.ts'
import { commandOf, scenarioOf } from '../options.ts'
import type { Outcome, Seen } from '../run.ts'
import { barChart, escaped, timeChart } from './charts.ts'
import { STYLE } from './style.ts'

export interface Report {
  readonly outcomes: readonly Outcome[]
  /** With samples: each a section of charts. */
  readonly drawn: readonly (Outcome & Seen)[]
  readonly breach: BreachReport | null
}

/** Up to so many milliseconds. */
const STOP_BINS: readonly (readonly [name: string, upToMs: number])[] = [
  ['at once', 0],
  ['50 ms', 50],
  ['100', 100],
  ['250', 250],
  ['500', 500],
  ['1 s', 1000],
  ['5 s', 5000],
  ['more', Number.POSITIVE_INFINITY],
]
const PER_MICRO = 1e6

/** One page that stands alone: no script, nothing that is loaded. */
export function reportPage({ outcomes, drawn, breach }: Report): string {
  const all = summaries(outcomes)
  const charges = outcomes.reduce((sum, { figures }) => sum + figures.charges, 0)
  const names = all.map(({ scenario }) => scenario.name)
  const title = names.length === 1 ? names[0]! : `${names.length} scenarios`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Budgets, simulated: ${escaped(title)}</title><style>${STYLE}</style></head><body><main>
<h1>Budgets, simulated: ${escaped(title)}</h1>
<p>The production code of the budgets, in virtual time, with an auditor beside it that shares no code with it. ${counted(outcomes.length, 'run')}, ${charges.toLocaleString('en')} charges. Money is in units of the currency, times are UTC.</p>
${breach === null ? '<span class="verdict good">No cap was passed, and no charge was made twice</span>' : breachBox(breach)}
${outcomes.length > 1 ? overview(all) : ''}
${drawn.map(section).join('\n')}
</main></body></html>
`
}

function breachBox({ message, after, history, command, scenario, seed }: BreachReport): string {
  return `<span class="verdict bad">A breach, in ${escaped(scenario)} with seed ${seed}, after ${escaped(after)}</span>
<div class="box"><p>${escaped(message)}</p><p>The latest before it, in the smallest run that was found:</p><pre>${escaped(history.join('\n'))}</pre><p>To see it again: <code>${escaped(command)}</code></p></div>`
}

/** A line for each scenario, the worst of its seeds in each figure. */
function overview(all: readonly Summary[]): string {
  const head = all[0]!.rows.map(({ worst }) => `<th>${escaped(worst.what)}</th>`).join('')
  const lines = all.map(({ scenario, rows }) => {
    const cells = rows.map(({ worst, worstSeed }) => {
      const met = isMet(worst)
      const goal = worst.goal === null ? '' : `<small>${escaped(goalText(worst))}</small>`
      const text = textOf(worst.figure, worst.unit)
      return `<td title="seed ${worstSeed}"${met ? '' : ' class="bad"'}>${escaped(met ? text : `${text}, missed`)}${goal}</td>`
    })
    return `<tr><td>${escaped(scenario.name)}</td>${cells.join('')}</tr>`
  })
  const seeds = all[0]!.seeds
  return `<h2>All scenarios</h2><p>${seeds > 1 ? `The worst of ${seeds} seeds each; a cell's title tells the seed.` : 'One seed each.'}</p>
<div class="box wide"><table><thead><tr><th>scenario</th>${head}</tr></thead><tbody>${lines.join('')}</tbody></table></div>`
}

/** A fleet is simulated for minutes. */
function durationText(hours: number): string {
  return hours >= 1 ? `${Number(hours.toFixed(2))} h` : `${Math.round(hours * 3600)} s`
}

function section(outcome: Outcome & Seen): string {
  const { job, figures, samples } = outcome
  const scenario = scenarioOf(job)
  const { name, about, nodes, regions, hours, goals } = scenario
  const rows = rowsOf(figures, goals)
  const size = [
    counted(nodes, 'node'),
    `in ${counted(regions, 'region')}`,
    counted(figures.campaigns, 'campaign'),
    durationText(hours),
    counted(figures.requests, 'request'),
  ].join(', ')
  return `<h2>${escaped(name)}, seed ${job.seed}</h2><p>${escaped(about)}. ${size}.</p>
<div class="tiles">${rows.map(tile).join('')}</div>
${samples === null ? '' : charts(samples, goals.stopMsP99Max)}
${samples === null ? '' : worstCases(samples)}
<p>Went wrong: ${escaped(faultsText(figures.faults))}.</p>
<p>The same run: <code>${escaped(commandOf(job))}</code></p>`
}

function tile(row: Row): string {
  const met = isMet(row)
  const goal = row.goal === null ? '' : `${met ? '' : 'missed: '}${goalText(row)}`
  return `<div class="tile"><span>${escaped(row.what)}</span><b>${escaped(textOf(row.figure, row.unit))}</b><small${met ? '' : ' class="bad"'}>${escaped(goal)}</small></div>`
}

function charts(samples: Samples, stopMsMax: number | null): string {
  const { taken, start } = samples
  const at = taken.map(sample => sample.at)
  const spend = samples.watched().map(({ facts, why, planned }, i) =>
    timeChart({
      title: `Campaign ${facts.number}: ${why}`,
      note: `${facts.model}, ${facts.pacing}, cap ${money(facts.dailyCap / PER_MICRO)} a day of ${facts.timeZone}`,
      at,
      start,
      stacked: false,
      text: money,
      series: [
        {
          name: facts.pacing === 'even' ? 'plan' : 'cap',
          ink: 'plan',
          values: planned.map(value => value / PER_MICRO),
        },
        { name: 'billed', ink: 'a', values: taken.map(({ billed }) => billed[i]! / PER_MICRO) },
      ],
    }),
  )
  const out = (name: string, ink: string, of: 'leased' | 'held' | 'free') => ({
    name,
    ink,
    values: taken.map(sample => sample[of] / PER_MICRO),
  })
  const leases = timeChart({
    title: 'Money out with shards',
    note: 'Granted and not charged, over all shards',
    at,
    start,
    stacked: true,
    text: money,
    series: [
      out('leased to nodes', 'a', 'leased'),
      out('held for chosen impressions', 'b', 'held'),
      out('free', 'c', 'free'),
    ],
  })
  const messages = timeChart({
    title: 'Messages per charge',
    note: 'Asks and grants between nodes and treasuries, heartbeats included',
    at,
    start,
    stacked: false,
    text: value => (value < 10 ? value.toFixed(1) : value.toFixed(0)),
    series: [
      {
        name: 'messages per charge',
        ink: 'a',
        values: taken.map((_, i) => messagesAround(samples, i)),
      },
    ],
  })
  return `<h3>Spend against plan</h3><div class="charts">${spend.join('')}</div>
<h3>The protocol at work</h3><div class="charts">${leases}${messages}${stopChart(samples.stops(), stopMsMax)}</div>`
}

/** Over five samples: in one alone there may be no charge. */
function messagesAround({ taken }: Samples, i: number): number {
  const near = taken.slice(Math.max(0, i - 2), i + 3)
  const messages = near.reduce((sum, sample) => sum + sample.messages, 0)
  return (
    messages /
    Math.max(
      1,
      near.reduce((sum, sample) => sum + sample.charges, 0),
    )
  )
}

function stopChart(stops: readonly number[], goalMs: number | null): string {
  const bars = STOP_BINS.map(([name, upTo], i) => {
    const above = STOP_BINS[i - 1]?.[1] ?? -1
    return {
      name,
      value: stops.filter(ms => ms > above && ms <= upTo).length,
      bad: goalMs !== null && upTo > goalMs,
    }
  })
  return barChart({
    title: 'From exhaustion or pause to the last ad',
    note: `${counted(stops.length, 'stop')}, by up to how long it took`,
    bars,
  })
}

function worstCases(samples: Samples): string {
  const lines = samples
    .worst()
    .map(
      ({ what, campaign, text }) =>
        `<tr><td>${escaped(what)}</td><td>${campaign}</td><td>${escaped(text)}</td></tr>`,
    )
  if (lines.length === 0) return ''
  return `<h3>The worst cases</h3><div class="box wide"><table class="left"><thead><tr><th>of all campaigns</th><th>campaign</th><th>how far</th></tr></thead><tbody>${lines.join('')}</tbody></table></div>`
}

function money(value: number): string {
  if (value >= 1000) return value.toLocaleString('en', { maximumFractionDigits: 0 })
  return value.toFixed(value === 0 ? 0 : value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0)
}

function counted(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`
}
