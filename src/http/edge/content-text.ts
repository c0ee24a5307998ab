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

/** A field beside the usual texts, as a member of a JSON object: `"name":value`. */
export interface Field {
  readonly key: string
  readonly json: string
}

const NONE: readonly Field[] = []

/** The fields of an event beside the usual texts, sorted. */
export function otherFields(item: Item): readonly Field[] {
  const keys = Object.keys(item)
  let usual = 0
  for (let i = 0; i < USUAL.length; i++) if (typeof item[USUAL[i]!] === 'string') usual++
  if (keys.length === usual) return NONE
  const others: string[] = []
  for (const key of keys) if (typeof item[key] !== 'string' || !IS_USUAL.has(key)) others.push(key)
  if (others.length > 1) others.sort()
  return others.map(key => fieldOf(item, key))
}

function fieldOf(item: Item, key: string): Field {
  return { key, json: `${JSON.stringify(key)}:${JSON.stringify(item[key])}` }
}

/**
 * One text for all that a sender said of an event, whatever the order of the fields, and another for anything else:
 * what its content hash is made of. Usual texts go with their length, in an order of ours; the others as JSON, sorted.
 */
export function contentText(item: Item, others: readonly Field[]): string {
  let text = ''
  for (let i = 0; i < USUAL.length; i++) {
    const value = item[USUAL[i]!]
    if (typeof value !== 'string') continue
    text += `${i},${value.length}:${value}`
  }
  for (const { key, json } of others) {
    text += isOrdered(item[key]) ? json : `${JSON.stringify(key)}:${ordered(item[key])}`
  }
  return text
}

/** Whether `ordered` would say what JSON.stringify says: no object has a key before a lesser one. */
function isOrdered(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isOrdered)
  const object = value as Item
  let before = ''
  for (const key in object) {
    if (key < before || !isOrdered(object[key])) return false
    before = key
  }
  return true
}

function ordered(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(ordered).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const object = value as Item
  const keys = Object.keys(object).sort()
  return `{${keys.map(key => `${JSON.stringify(key)}:${ordered(object[key])}`).join(',')}}`
}

/**
 * The fields of a click or an impression that no rule of ours reads: those that API.md has no name for, `metadata`, and
 * in a click the id of an impression.
 */
export function keptFields(
  item: Item,
  others: readonly Field[],
  idOfOtherKind: 'click_id' | 'impression_id',
): readonly Field[] {
  const hasOtherId = item[idOfOtherKind] !== undefined
  if (others.length === 0 && !hasOtherId) return NONE
  const fields = others.filter(({ key }) => !IS_USUAL.has(key))
  return hasOtherId ? [fieldOf(item, idOfOtherKind), ...fields] : fields
}

/** These fields as the JSON of an object. */
export function fieldsText(fields: readonly Field[]): string {
  return `{${fields.map(({ json }) => json).join(',')}}`
}

/** The name of the one that takes the most room. */
export function longestField(fields: readonly Field[]): string {
  return fields.reduce((longest, field) => (field.json.length > longest.json.length ? field : longest)).key
}
