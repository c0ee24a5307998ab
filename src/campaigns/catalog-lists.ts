/**
 * Lists of offers by size and narrowest dimension, in falling order of the highest possible score, the older campaign
 * first among equals. Entries of all lists lie end to end; the table from key to list is open addressing.
 */
export interface KeyedLists {
  /** Records of LIST_WORDS words, so that a list is found with one cache line: a request looks for a dozen. */
  readonly table: Int32Array<SharedArrayBuffer>
  readonly bounds: Float64Array<SharedArrayBuffer>
  readonly offers: Int32Array<SharedArrayBuffer>
  /** The offer's campaign slot, here too: a stopped campaign is passed by without touching its row. */
  readonly slots: Int32Array<SharedArrayBuffer>
}

/** Four, so that a key shifted by two is a place. */
const LIST_WORDS = 4
/** Words of a record of the table. */
export const List = {
  key: 0,
  /** The list's first entry. */
  start: 1,
  /** One past its last; 0 marks an empty record. */
  end: 2,
} as const

export interface ListTerms {
  /** Keys of all offers, end to end; those of an offer are `keyStarts[offer]` to `keyStarts[offer + 1]`. */
  readonly keys: Int32Array
  readonly keyStarts: Int32Array
  /** Offers in the order in which every list has them. */
  readonly order: Int32Array
  readonly bounds: Float64Array
  readonly slotOf: (offer: number) => number
}

export function buildLists({ keys, keyStarts, order, bounds, slotOf }: ListTerms): KeyedLists {
  const table = new Int32Array(new SharedArrayBuffer(tablePlaces(keys) * LIST_WORDS * 4))
  const built: KeyedLists = {
    table,
    bounds: new Float64Array(new SharedArrayBuffer(keys.length * 8)),
    offers: new Int32Array(new SharedArrayBuffer(keys.length * 4)),
    slots: new Int32Array(new SharedArrayBuffer(keys.length * 4)),
  }
  // First `end` counts, then it is where the list's next entry goes: after the last one it is the end.
  const placeOf = new Int32Array(keys.length)
  for (let i = 0; i < keys.length; i++) {
    const place = placeFor(table, keys[i]!)
    table[place + List.key] = keys[i]!
    table[place + List.end]! += 1
    placeOf[i] = place
  }
  let used = 0
  for (let place = 0; place < table.length; place += LIST_WORDS) {
    const count = table[place + List.end]!
    if (count === 0) continue
    table[place + List.start] = used
    table[place + List.end] = used
    used += count
  }
  for (const offer of order) {
    for (let i = keyStarts[offer]!; i < keyStarts[offer + 1]!; i++) {
      const end = placeOf[i]! + List.end
      const at = table[end]!
      table[end] = at + 1
      built.bounds[at] = bounds[offer]!
      built.offers[at] = offer
      built.slots[at] = slotOf(offer)
    }
  }
  return built
}

/** Where the record of a list begins in the table, or -1. */
export function findList(table: Int32Array, key: number): number {
  const place = placeFor(table, key)
  return table[place + List.end] === 0 ? -1 : place
}

/** Where the record of the key begins, or the empty record where it would go. */
function placeFor(table: Int32Array, key: number): number {
  const mask = table.length - LIST_WORDS
  let place = (key << 2) & mask
  while (table[place + List.end] !== 0 && table[place + List.key] !== key) place = (place + LIST_WORDS) & mask
  return place
}

/** At least twice as many places as different keys; a power of two. */
function tablePlaces(keys: Int32Array): number {
  let places = 8
  while (places < keys.length * 2) places *= 2
  const seen = new Int32Array(places * LIST_WORDS)
  let different = 0
  for (const key of keys) {
    const place = placeFor(seen, key)
    if (seen[place + List.end] !== 0) continue
    seen[place + List.key] = key
    seen[place + List.end] = 1
    different++
  }
  let enough = 8
  while (enough < different * 2) enough *= 2
  return enough
}
