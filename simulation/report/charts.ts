/** Charts as SVG: of one width, so that their letters are as large on a telephone as beside each other on a desk. */
const WIDTH = 400
const HEIGHT = 210
const LEFT = 50
const RIGHT = 10
const TOP = 8
const BOTTOM = 24
const X_TICKS_MAX = 6
const HOVERS_MAX = 48

export interface Series {
  readonly name: string
  /** A class of the page's style: `a`, `b`, `c`, or `plan`. */
  readonly ink: string
  readonly values: readonly number[]
}

export interface TimeChart {
  readonly title: string
  readonly note: string
  readonly at: readonly number[]
  readonly start: number
  readonly series: readonly Series[]
  /** On top of each other, filled. */
  readonly stacked: boolean
  readonly text: (value: number) => string
}

export function timeChart({ title, note, at, start, series, stacked, text }: TimeChart): string {
  const layers = stacked ? pile(series) : series.map(({ values }) => ({ from: null, to: values }))
  const top = niceTop(layers.flatMap(({ to }) => to))
  const end = at.at(-1) ?? start + 1
  const x = (time: number) => LEFT + ((time - start) / (end - start)) * (WIDTH - LEFT - RIGHT)
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM)
  const line = (values: readonly number[]) =>
    values.map((value, i) => `${short(x(at[i]!))},${short(y(value))}`).join(' ')
  const drawn = series.map(({ ink }, i) => {
    const { from, to } = layers[i]!
    if (from === null) return `<polyline class="line ${ink}" points="${line(to)}"/>`
    const back = line(from).split(' ').reverse().join(' ')
    return `<polygon class="fill ${ink}" points="${line(to)} ${back}"/>`
  })
  const hovers = hoverColumns(at, x, i => {
    const values = series.map(({ name, values: of }) => `${name} ${text(of[i]!)}`)
    return `${hourText(at[i]!)}: ${values.join(', ')}`
  })
  const body = [yAxis(top, y, text), xAxis(start, end, x), ...drawn, hovers].join('')
  return figure({ title, note, legend: series.length > 1 ? series : [], body })
}

export interface Bar {
  readonly name: string
  readonly value: number
  /** Beyond the goal. */
  readonly bad: boolean
}

export function barChart(of: {
  readonly title: string
  readonly note: string
  readonly bars: readonly Bar[]
}): string {
  const { title, note, bars } = of
  const top = niceTop(bars.map(({ value }) => value))
  const each = (WIDTH - LEFT - RIGHT) / bars.length
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM)
  const drawn = bars.map(({ name, value, bad }, i) => {
    const left = LEFT + i * each
    const height = HEIGHT - BOTTOM - y(value)
    const label =
      value === 0
        ? ''
        : `<text class="value" x="${short(left + each / 2)}" y="${short(y(value) - 4)}">${value}</text>`
    return (
      `<g><title>${escaped(name)}: ${value}</title>` +
      `<rect class="fill ${bad ? 'b' : 'a'}" x="${short(left + 2)}" width="${short(each - 4)}" y="${short(y(value))}" height="${short(height)}" rx="2"/>` +
      `${label}<text class="tick middle" x="${short(left + each / 2)}" y="${HEIGHT - 8}">${escaped(name)}</text></g>`
    )
  })
  return figure({ title, note, legend: [], body: yAxis(top, y, value => String(value)) + drawn.join('') })
}

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

function figure(of: {
  readonly title: string
  readonly note: string
  readonly legend: readonly Series[]
  readonly body: string
}): string {
  const legend = of.legend.map(({ name, ink }) => `<span><i class="${ink}"></i>${escaped(name)}</span>`)
  return (
    `<figure><figcaption><b>${escaped(of.title)}</b><small>${escaped(of.note)}</small>` +
    `${legend.length > 0 ? `<span class="legend">${legend.join('')}</span>` : ''}</figcaption>` +
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(of.title)}">${of.body}</svg></figure>`
  )
}

function yAxis(top: number, y: (value: number) => number, text: (value: number) => string): string {
  return [0, top / 2, top]
    .map(
      value =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${short(y(value))}" y2="${short(y(value))}"/>` +
        `<text class="tick end" x="${LEFT - 6}" y="${short(y(value) + 4)}">${escaped(text(value))}</text>`,
    )
    .join('')
}

function xAxis(start: number, end: number, x: (time: number) => number): string {
  const minutes = (end - start) / 60_000
  const stepMinutes =
    [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720].find(step => minutes / step <= X_TICKS_MAX) ?? 1440
  const step = stepMinutes * 60_000
  const ticks: string[] = []
  for (let at = Math.ceil(start / step) * step; at <= end; at += step) {
    const place = Math.min(Math.max(x(at), LEFT + 8), WIDTH - RIGHT - 12)
    ticks.push(`<text class="tick middle" x="${short(place)}" y="${HEIGHT - 8}">${hourText(at)}</text>`)
  }
  return ticks.join('')
}

/** What a pointer that rests on the chart is told. */
function hoverColumns(
  at: readonly number[],
  x: (time: number) => number,
  text: (i: number) => string,
): string {
  const step = Math.max(1, Math.ceil(at.length / HOVERS_MAX))
  const columns: string[] = []
  for (let i = step - 1; i < at.length; i += step) {
    const from = x(i < step ? at[0]! : at[i - step]!)
    columns.push(
      `<rect class="hover" x="${short(from)}" width="${short(x(at[i]!) - from)}" y="${TOP}" height="${HEIGHT - TOP - BOTTOM}"><title>${escaped(text(i))}</title></rect>`,
    )
  }
  return columns.join('')
}

function pile(series: readonly Series[]): { from: readonly number[]; to: readonly number[] }[] {
  let below: readonly number[] = series[0]!.values.map(() => 0)
  return series.map(({ values }) => {
    const from = below
    below = values.map((value, i) => value + from[i]!)
    return { from, to: below }
  })
}

/** The least round number that is no less than all. */
function niceTop(values: readonly number[]): number {
  const most = values.reduce((a, b) => Math.max(a, b), 0)
  if (most <= 0) return 1
  const unit = 10 ** Math.floor(Math.log10(most))
  return unit * [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].find(times => times * unit >= most * 0.9999)!
}

function hourText(at: number): string {
  return new Date(at).toISOString().slice(11, 16)
}

function short(value: number): string {
  return String(Math.round(value * 10) / 10)
}
