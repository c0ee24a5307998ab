import type { LiveSecond } from './live-figures.ts'

const WIDTH = 600
const HEIGHT = 220
const LEFT = 44
const BOTTOM = 22
const TOP = 14
/** At first the chart is a minute wide, then it grows with what there is to show. */
const SECONDS_MIN = 60

/** A line of seconds, as SVG with viewBox 0 0 100 30. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(1, ...values)
  const points = values.map((value, at) => {
    const x = (at * 100) / (values.length - 1)
    return `${x.toFixed(1)},${(28 - (value / most) * 25).toFixed(1)}`
  })
  if (points.length < 2) return ''
  const first = points[0]!.split(',')[0]
  return (
    `<polygon class="area" points="${first},30 ${points.join(' ')} 100,30"/>` +
    `<polyline class="line" points="${points.join(' ')}"/>`
  )
}

/** Served and charged over the last minutes, with a scale. */
export class Chart {
  private seconds: readonly LiveSecond[] = []
  private pointerX: number | null = null

  constructor(
    private readonly svg: SVGSVGElement,
    private readonly reading: HTMLElement,
  ) {
    svg.addEventListener('pointermove', event => {
      const box = svg.getBoundingClientRect()
      this.pointerX = ((event.clientX - box.left) / box.width) * WIDTH
      this.draw()
    })
    svg.addEventListener('pointerleave', () => {
      this.pointerX = null
      this.draw()
    })
  }

  show(seconds: readonly LiveSecond[]): void {
    this.seconds = seconds
    this.draw()
  }

  /** Width of a second. */
  private get step(): number {
    return (WIDTH - LEFT) / (Math.max(SECONDS_MIN, this.seconds.length) - 1)
  }

  private draw(): void {
    const { seconds } = this
    const top = scaleTop(Math.max(4, ...seconds.map(({ served, charged }) => Math.max(served, charged))))
    const step = this.step
    const x = (at: number) => WIDTH - (seconds.length - 1 - at) * step
    const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP)
    const points = (of: (second: LiveSecond) => number) =>
      seconds.map((second, at) => `${x(at).toFixed(1)},${y(of(second)).toFixed(1)}`).join(' ')
    const rules = [0, 0.25, 0.5, 0.75, 1].map(share => {
      const value = top * share
      return (
        `<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${y(value)}" y2="${y(value)}"/>` +
        (share === 0.25 || share === 0.75
          ? ''
          : `<text x="${LEFT - 6}" y="${y(value) + 4}" text-anchor="end">${value}</text>`)
      )
    })
    const minutes = [240, 180, 120, 60, 30]
      .filter(ago => WIDTH - ago * step > LEFT && (ago > 30 || seconds.length < 120))
      .map(ago => {
        const text = ago === 30 ? '30 s' : `${ago / 60} min`
        return `<text x="${WIDTH - ago * step}" y="${HEIGHT - 5}" text-anchor="middle">${text} ago</text>`
      })
    const charged = points(second => second.charged)
    const base = y(0)
    const curves =
      seconds.length < 2
        ? ''
        : `<polygon class="area charged" points="${x(0)},${base} ${charged} ${WIDTH},${base}"/>` +
          `<polyline class="line served" points="${points(second => second.served)}"/>` +
          `<polyline class="line charged" points="${charged}"/>`
    this.svg.innerHTML = `${rules.join('')}${minutes.join('')}${curves}${this.cursor(x)}`
    const now = seconds.at(-1)
    if (now !== undefined) {
      const label = `Now ${now.served} ads served and ${now.charged} events charged a second; scale up to ${top}.`
      this.svg.setAttribute('aria-label', label)
    }
  }

  /** Where a pointer is on the chart: a line at its second, and that second's figures in words. */
  private cursor(x: (at: number) => number): string {
    const { seconds, pointerX } = this
    let nearest = -1
    if (pointerX !== null) {
      nearest = seconds.length - 1 - Math.round((WIDTH - pointerX) / this.step)
    }
    const second = seconds[nearest]
    this.reading.textContent =
      second === undefined
        ? ''
        : `${seconds.length - 1 - nearest} s ago: ${second.served} served, ${second.charged} charged`
    return second === undefined
      ? ''
      : `<line class="cursor" x1="${x(nearest)}" x2="${x(nearest)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`
  }
}

/** The next of 4, 8, 20, 40, 80, 200, ...: its quarters and half are whole numbers. */
function scaleTop(value: number): number {
  for (let decade = 1; ; decade *= 10) {
    for (const step of [4, 8, 20]) if (value <= step * decade) return step * decade
  }
}
