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

export type Item = Readonly<Record<string, unknown>>

const NONE: readonly string[] = []

/** The fields of an event beside the usual texts, sorted. */
export function otherFields(item: Item): readonly string[] {
  const keys = Object.keys(item)
  let usual = 0
  for (let i = 0; i < USUAL.length; i++) if (typeof item[USUAL[i]!] === 'string') usual++
  // Most events have none: no closure, no list.
  if (keys.length === usual) return NONE
  return keys.filter(key => typeof item[key] !== 'string' || !IS_USUAL.has(key)).sort()
}

/**
 * One text for all that a sender said of an event, whatever the order of the fields, and another for anything else:
 * what its content hash is made of. Usual texts go with their length, in an order of ours; the others as JSON, sorted.
 */
export function contentText(item: Item, others: readonly string[]): string {
  let text = ''
  for (let i = 0; i < USUAL.length; i++) {
    const value = item[USUAL[i]!]
    if (typeof value !== 'string') continue
    text += `${i},${value.length}:${value}`
  }
  for (const key of others) text += `${JSON.stringify(key)}:${ordered(item[key])}`
  return text
}

function ordered(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(ordered).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const object = value as Readonly<Record<string, unknown>>
  const keys = Object.keys(object).sort()
  return `{${keys.map(key => `${JSON.stringify(key)}:${ordered(object[key])}`).join(',')}}`
}

/**
 * The fields of a click or an impression that no rule of ours reads: those that API.md has no name for, `metadata`, and
 * in a click the id of an impression.
 */
export function keptFields(
  item: Item,
  others: readonly string[],
  idOfOtherKind: 'click_id' | 'impression_id',
): readonly string[] {
  const hasOtherId = item[idOfOtherKind] !== undefined
  if (others.length === 0 && !hasOtherId) return NONE
  const fields = others.filter(key => !IS_USUAL.has(key))
  return hasOtherId ? [idOfOtherKind, ...fields] : fields
}

/** These fields as the JSON of an object. */
export function fieldsText(item: Item, fields: readonly string[]): string {
  return `{${fields.map(key => fieldText(item, key)).join(',')}}`
}

/** Which of them takes the most room. */
export function longestField(item: Item, fields: readonly string[]): string {
  return fields.reduce((longest, key) =>
    fieldText(item, key).length > fieldText(item, longest).length ? key : longest,
  )
}

function fieldText(item: Item, key: string): string {
  return `${JSON.stringify(key)}:${JSON.stringify(item[key])}`
}
