/** The script of the page at `/`: asks for what is new each second, and draws it. */
import { Campaigns } from './live-campaigns.ts'
import { Chart, sparkline } from './live-chart.ts'
import { type LiveFigures, type LiveSecond, notBilled, SECONDS_SHOWN } from './live-figures.ts'

const REFRESH_MS = 1000
const REASONS_SHOWN = 9
/** A small line shows the last minute. */
const SPARK_SECONDS = 60

interface Tile {
  readonly name: string
  readonly className: string
  readonly total: (figures: LiveFigures) => string
  readonly now: (second: LiveSecond) => string
  readonly of: (second: LiveSecond) => number
}

const count = (value: number | undefined) => (value ?? 0).toLocaleString('en')
const TILES: readonly Tile[] = [
  {
    name: 'Ads served',
    className: 'served',
    total: f => count(f.counters['bids']),
    now: s => `${s.served} a second`,
    of: s => s.served,
  },
  {
    name: 'Shown',
    className: 'shown',
    total: f => count(f.counters['impressions']),
    now: s => `${s.shown} a second`,
    of: s => s.shown,
  },
  {
    name: 'Clicked',
    className: 'clicked',
    total: f => count(f.counters['clicks']),
    now: s => `${s.clicked} a second`,
    of: s => s.clicked,
  },
  {
    name: 'Charged',
    className: 'charged',
    total: f => count(f.charged),
    now: s => `${s.charged} a second`,
    of: s => s.charged,
  },
  {
    name: 'Refused',
    className: 'refused',
    total: f => count(sum(f.refused)),
    now: s => `${s.refused} a second`,
    of: s => s.refused,
  },
  {
    name: 'Lag of the books',
    className: 'lag',
    total: f => `${count(Math.round(f.lagMs))} ms`,
    now: () => 'from event to charge',
    of: s => s.lagMs,
  },
]

const chart = new Chart(document.querySelector<SVGSVGElement>('#chart')!, byId('reading'))
const campaigns = new Campaigns(
  byId('campaigns'),
  byId('campaigns-note'),
  byId('unlock') as HTMLFormElement,
  byId('forget') as HTMLButtonElement,
)
const tiles = TILES.map(tile => {
  const box = document.createElement('div')
  box.className = `figure ${tile.className}`
  box.innerHTML =
    '<span class="name"></span><span class="value"></span><span class="rate"></span>' +
    '<svg viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true"></svg>'
  box.querySelector('.name')!.textContent = tile.name
  byId('figures').append(box)
  return { ...tile, box }
})

let after = 0
let seconds: LiveSecond[] = []
let answeredAt: Date | null = null

async function refresh(): Promise<void> {
  try {
    const answer = await fetch(`/live.json?after=${after}`)
    if (!answer.ok) throw new Error(`answered ${answer.status}`)
    show((await answer.json()) as LiveFigures)
    answeredAt = new Date()
    await campaigns.refresh()
  } catch {
    const since = answeredAt === null ? '' : ` since ${answeredAt.toLocaleTimeString()}`
    setState('no answer', 'ill', `The server has not answered${since}. This page goes on asking.`)
  }
}

function show(figures: LiveFigures): void {
  // A server that was started again counts its seconds anew.
  if (figures.second < after) seconds = []
  after = figures.second
  seconds = [...seconds, ...figures.seconds].slice(-SECONDS_SHOWN)
  const isWell = figures.ready && figures.recording
  setState(isWell ? 'recording' : 'not ready', isWell ? 'well' : 'ill', figures.problem ?? '')
  const latest = seconds.at(-1)
  for (const { box, total, now, of } of tiles) {
    box.querySelector('.value')!.textContent = total(figures)
    box.querySelector('.rate')!.textContent = latest === undefined ? '' : now(latest)
    box.querySelector('svg')!.innerHTML = sparkline(seconds.slice(-SPARK_SECONDS).map(of))
  }
  chart.show(seconds)
  showRefused(figures)
}

function showRefused(figures: LiveFigures): void {
  const reasons = notBilled(figures)
  const most = reasons[0]?.count ?? 1
  const rows = reasons.slice(0, REASONS_SHOWN).map(({ text, count: times }) => {
    const row = document.createElement('li')
    row.innerHTML =
      '<span></span><span class="count"></span><span class="bar" aria-hidden="true"><span></span></span>'
    const [name, number, bar] = [...row.children] as HTMLElement[]
    name!.textContent = text
    number!.textContent = count(times)
    ;(bar!.firstElementChild as HTMLElement).style.width = `${((times / most) * 100).toFixed(1)}%`
    return row
  })
  if (rows.length === 0) {
    const nothing = document.createElement('li')
    nothing.textContent = 'Nothing so far.'
    rows.push(nothing)
  }
  byId('refused').replaceChildren(...rows)
}

function setState(text: string, className: string, problem: string): void {
  const state = byId('state')
  if (state.textContent !== text) state.textContent = text
  state.className = `state ${className}`
  const box = byId('problem')
  if (box.textContent !== problem) box.textContent = problem
  box.hidden = problem === ''
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, value) => total + value, 0)
}

function byId(id: string): HTMLElement {
  return document.getElementById(id)!
}

for (;;) {
  await refresh()
  await new Promise(resolve => setTimeout(resolve, REFRESH_MS))
}
