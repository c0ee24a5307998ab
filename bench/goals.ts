/** A figure of the bench, and what it is held against. */
export interface Row {
  readonly what: string
  readonly figure: number
  readonly unit: string
  /** Null where there is nothing to hold the figure against. */
  readonly limit: number | null
  readonly ratio: number | null
  /** Where the limit comes from. */
  readonly against: string
  /** On which side of the limit it must be; null where the limit is only there to compare with. */
  readonly goal: 'atLeast' | 'atMost' | null
}

/** A figure that was not reached in time (NaN) misses its goal. */
export function missedGoals(rows: readonly Row[]): Row[] {
  return rows.filter(({ figure, limit, goal }) => {
    if (limit === null || goal === null) return false
    return goal === 'atLeast' ? !(figure >= limit) : !(figure <= limit)
  })
}
