/** What most senders say, and nothing else with it but `metadata`. The order is for ever: hashes are kept. */
const USUAL = [
  'click_id',
  'impression_id',
  'ad_id',
  'advertiser_id',
  'user_id',
  'timestamp',
  'ip',
  'user_agent',
  'region',
  'country',
  'device_type',
  'placement_id',
] as const
const IS_USUAL: ReadonlySet<string> = new Set(USUAL)

/**
 * One text for all that a sender said of an event, whatever the order of the fields, and another for anything else:
 * what its content hash is made of. Usual texts go with their length, in an order of ours; the rest as JSON, sorted.
 */
export function contentText(item: Readonly<Record<string, unknown>>): string {
  let text = ''
  let usual = 0
  for (let i = 0; i < USUAL.length; i++) {
    const value = item[USUAL[i]!]
    if (typeof value !== 'string') continue
    text += `${i},${value.length}:${value}`
    usual++
  }
  const keys = Object.keys(item)
  if (keys.length === usual) return text
  const rest = keys.filter(key => typeof item[key] !== 'string' || !IS_USUAL.has(key)).sort()
  for (const key of rest) text += `${JSON.stringify(key)}:${ordered(item[key])}`
  return text
}

function ordered(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(ordered).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const object = value as Readonly<Record<string, unknown>>
  const keys = Object.keys(object).sort()
  return `{${keys.map(key => `${JSON.stringify(key)}:${ordered(object[key])}`).join(',')}}`
}
