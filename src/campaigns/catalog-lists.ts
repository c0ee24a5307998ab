/**
 * Lists of offers by size and narrowest dimension, in falling order of the highest possible score, the older campaign
 * first among equals. Entries of all lists lie end to end; the table from key to list is open addressing.
 */
export interface KeyedLists {
  readonly keys: Int32Array<SharedArrayBuffer>
  readonly starts: Int32Array<SharedArrayBuffer>
  /** One past the list's last entry; 0 marks an empty place of the table. */
  readonly ends: Int32Array<SharedArrayBuffer>
  readonly bounds: Float64Array<SharedArrayBuffer>
  readonly offers: Int32Array<SharedArrayBuffer>
  /** The offer's campaign slot, here too: a stopped campaign is passed by without touching its row. */
  readonly slots: Int32Array<SharedArrayBuffer>
}

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
  const places = tablePlaces(keys)
  const built: KeyedLists = {
    keys: new Int32Array(new SharedArrayBuffer(places * 4)),
    starts: new Int32Array(new SharedArrayBuffer(places * 4)),
    ends: new Int32Array(new SharedArrayBuffer(places * 4)),
    bounds: new Float64Array(new SharedArrayBuffer(keys.length * 8)),
    offers: new Int32Array(new SharedArrayBuffer(keys.length * 4)),
    slots: new Int32Array(new SharedArrayBuffer(keys.length * 4)),
  }
  // First `ends` counts, then it is where the list's next entry goes: after the last one it is the end.
  const placeOf = new Int32Array(keys.length)
  for (let i = 0; i < keys.length; i++) {
    const place = placeFor(built.keys, built.ends, keys[i]!)
    built.keys[place] = keys[i]!
    built.ends[place]! += 1
    placeOf[i] = place
  }
  let used = 0
  for (let place = 0; place < places; place++) {
    const count = built.ends[place]!
    if (count === 0) continue
    built.starts[place] = used
    built.ends[place] = used
    used += count
  }
  for (const offer of order) {
    for (let i = keyStarts[offer]!; i < keyStarts[offer + 1]!; i++) {
      const at = built.ends[placeOf[i]!]!
      built.ends[placeOf[i]!] = at + 1
      built.bounds[at] = bounds[offer]!
      built.offers[at] = offer
      built.slots[at] = slotOf(offer)
    }
  }
  return built
}

/** The place of a list in the table, or -1. */
export function findList(lists: KeyedLists, key: number): number {
  const place = placeFor(lists.keys, lists.ends, key)
  return lists.ends[place] === 0 ? -1 : place
}

/** Where the key is, or the empty place where it would go. */
function placeFor(keys: Int32Array, filled: Int32Array, key: number): number {
  const mask = keys.length - 1
  let at = key & mask
  while (filled[at] !== 0 && keys[at] !== key) at = (at + 1) & mask
  return at
}

/** At least twice as many places as different keys. */
function tablePlaces(keys: Int32Array): number {
  let places = 8
  while (places < keys.length * 2) places *= 2
  const seen = new Int32Array(places)
  const filled = new Int32Array(places)
  let different = 0
  for (const key of keys) {
    const at = placeFor(seen, filled, key)
    if (filled[at] !== 0) continue
    seen[at] = key
    filled[at] = 1
    different++
  }
  let enough = 8
  while (enough < different * 2) enough *= 2
  return enough
}
