/** The figures of the bench, each beside what it is held against. */
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

/** A limit, and where it comes from. */
interface Limit {
  readonly limit: number
  readonly against: string
}

export class Table {
  readonly rows: Row[] = []

  /** Where there is a limit, it is there to compare with. */
  add(what: string, figure: number, unit: string, limit: Limit | null = null): void {
    this.hold(null, { what, figure, unit }, limit)
  }

  atLeast(what: string, figure: number, unit: string, limit: Limit): void {
    this.hold('atLeast', { what, figure, unit }, limit)
  }

  atMost(what: string, figure: number, unit: string, limit: Limit): void {
    this.hold('atMost', { what, figure, unit }, limit)
  }

  print(): void {
    console.log(
      `${'what'.padEnd(44)}${'figure'.padStart(12)} ${'unit'.padEnd(14)}${'limit'.padStart(9)}  ratio`,
    )
    for (const { what, figure, unit, limit, ratio, against } of this.rows) {
      const beside = ratio === null ? '' : `${written(limit).padStart(9)}  ${ratio.toFixed(2)}  ${against}`
      console.log(`${what.padEnd(44)}${written(figure).padStart(12)} ${unit.padEnd(14)}${beside}`.trimEnd())
    }
  }

  private hold(goal: Row['goal'], row: Pick<Row, 'what' | 'figure' | 'unit'>, limit: Limit | null): void {
    const ratio = limit === null ? null : row.figure / limit.limit
    this.rows.push({ ...row, limit: limit?.limit ?? null, ratio, against: limit?.against ?? '', goal })
  }
}

/** A figure that was not reached in time (NaN) misses its goal. */
export function missedGoals(rows: readonly Row[]): Row[] {
  return rows.filter(({ figure, limit, goal }) => {
    if (limit === null || goal === null) return false
    return goal === 'atLeast' ? !(figure >= limit) : !(figure <= limit)
  })
}

export function goal(limit: number): Limit {
  return { limit, against: 'goal' }
}

function written(value: number | null): string {
  if (value === null) return ''
  if (Number.isNaN(value)) return 'not within the bound'
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}
