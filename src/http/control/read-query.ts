import { isTimeZone } from '../../campaigns/check-body.ts'
import { parseTime } from '../../campaigns/edit-schemas.ts'
import { parseId } from '../../core/ids.ts'
import type { FieldError } from '../../core/outcome.ts'
import { RFC3339_MAX } from '../../core/time.ts'
import { HttpProblem } from '../problem.ts'

/**
 * The parameters of a query, read one by one; `done` throws 400 with all that was wrong. Parameters that nobody
 * knows are refused: a filter with a slip in its name would answer too much.
 */
export class QueryReader {
  readonly #given: URLSearchParams
  readonly #errors: FieldError[] = []

  constructor(url: string, known: readonly string[]) {
    this.#given = new URL(url).searchParams
    for (const name of new Set(this.#given.keys())) {
      if (!known.includes(name)) this.fault(name, 'unknown parameter')
      else if (this.#given.getAll(name).length > 1) this.fault(name, 'is given more than once')
    }
  }

  fault(path: string, message: string): void {
    this.#errors.push({ path, message })
  }

  /** So far. */
  get isRight(): boolean {
    return this.#errors.length === 0
  }

  done(): void {
    if (!this.isRight)
      throw new HttpProblem(400, 'The query has parameters that are not right.', this.#errors)
  }

  text(name: string, lengthMax = 512): string | null {
    const value = this.#given.get(name)
    if (value === null || value === '') return null
    if (value.length > lengthMax) this.fault(name, `must have at most ${lengthMax} characters`)
    return value
  }

  integer(name: string, min: number, max: number, fallback: number): number {
    const value = this.#given.get(name)
    if (value === null) return fallback
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    if (number >= min && number <= max) return number
    this.fault(name, `must be an integer from ${min} to ${max}`)
    return fallback
  }

  choice<T extends string>(name: string, choices: readonly T[], fallback: T | null): T {
    const value = this.#given.get(name)
    if (value === null && fallback !== null) return fallback
    const chosen = choices.find(choice => choice === value)
    if (chosen === undefined) this.fault(name, `must be one of ${choices.join(', ')}`)
    return chosen ?? choices[0]!
  }

  /** RFC 3339; without a fallback it is required. */
  time(name: string, fallback: number | null): number {
    const value = this.#given.get(name)
    if (value === null || value === '') {
      if (fallback === null) this.fault(name, 'is required')
      return fallback ?? 0
    }
    // A `+` that was not percent-encoded arrives as a space.
    const time = parseTime(value.replace(' ', '+'))
    if (time === null) this.fault(name, 'must be an RFC 3339 time with its offset')
    else if (time > RFC3339_MAX) this.fault(name, 'must be before the year 10000 in UTC')
    return time ?? 0
  }

  timeZone(name: string): string {
    const zone = this.text(name, 64) ?? 'UTC'
    if (!isTimeZone(zone)) this.fault(name, 'must be an IANA time zone')
    return zone
  }

  /** A cursor is the number of a row, or the id of an ad or of a ledger entry: by the list. */
  page(cursors: 'row' | 'ad' | 'entry' = 'row'): { limit: number; cursor: string | null } {
    const limit = this.integer('limit', 1, 200, 50)
    const cursor = this.text('cursor')
    const isRight =
      cursor === null || (cursors === 'row' ? /^\d{1,16}$/.test(cursor) : parseId(cursors, cursor) !== null)
    if (!isRight) this.fault('cursor', 'must be a nextCursor of this list')
    return { limit, cursor }
  }
}
