const FIGURES = ['requests', 'impressions', 'clicks', 'charges', 'spendMicros', 'rejected']

/** RFC 4180, with a line of names. `requests` is there where any row has it. */
export function reportCsv(rows: readonly Record<string, unknown>[], groupBy: readonly string[]): string {
  const figures = FIGURES.filter(name => name !== 'requests' || rows.some(row => row[name] !== undefined))
  const columns = ['window', ...groupBy, ...figures]
  const lines = [columns, ...rows.map(row => columns.map(column => row[column]))]
  return lines.map(line => `${line.map(cell).join(',')}\r\n`).join('')
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return ''
  const text = String(value)
  // A spreadsheet would run a text that begins so; numbers may be negative.
  const inert = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert
}

/** Whether `Accept` prefers CSV to JSON (RFC 9110 section 12.5.1); without a preference it is JSON. */
export function wantsCsv(accept: string | null): boolean {
  if (accept === null) return false
  const weights = new Map(accept.split(',').map(range => weightOf(range)))
  const csv = weights.get('text/csv') ?? weights.get('text/*') ?? 0
  const json = weights.get('application/json') ?? weights.get('application/*') ?? 0
  return csv > 0 && csv > json
}

function weightOf(range: string): [string, number] {
  const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
  const weight = parameters.find(parameter => parameter.startsWith('q='))
  return [type, weight === undefined ? 1 : Number(weight.slice(2)) || 0]
}
