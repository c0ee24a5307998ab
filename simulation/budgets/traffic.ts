import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { HOUR_MS } from '../../src/core/time.ts'

/** Shares of a week's traffic by hour, from the measured curves where they are at hand. */
const MEASURED = join(import.meta.dir, '../../../shared/data/traffic-share.csv.gz')

/** Traffic at a time, relative to the week's mean. */
export type Curve = (at: number) => number

/** The mean of all measured regions; without the file, a curve of two humps that is like it. */
export function weekCurve(path = MEASURED): Curve {
  const hours = existsSync(path) ? measured(path) : humps()
  const mean = hours.reduce((sum, share) => sum + share, 0) / hours.length
  return at => {
    const place = at / HOUR_MS - 0.5
    const before = Math.floor(place)
    const share = place - before
    return (hours[weekHour(before)]! * (1 - share) + hours[weekHour(before + 1)]! * share) / mean
  }
}

function measured(path: string): number[] {
  const hours = new Array<number>(7 * 24).fill(0)
  const [, ...lines] = gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n')
  for (const line of lines) {
    const [, dow, hour, share] = line.split(',')
    // Days are 1 (Monday) to 7, or 0 for Sunday.
    hours[((Number(dow) + 6) % 7) * 24 + Number(hour)]! += Number(share)
  }
  return hours
}

function humps(): number[] {
  return Array.from({ length: 7 * 24 }, (_, at) => {
    const hour = at % 24
    return 0.2 + Math.exp(-(((hour - 13) / 4) ** 2)) + 1.2 * Math.exp(-(((hour - 20) / 3) ** 2))
  })
}

/** The epoch was a Thursday. */
function weekHour(hour: number): number {
  const of = (hour + 3 * 24) % (7 * 24)
  return of < 0 ? of + 7 * 24 : of
}
