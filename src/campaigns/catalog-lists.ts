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

export class ListBuilder {
  private readonly lists = new Map<number, number[]>()
  private entries = 0

  add(key: number, offer: number): void {
    const list = this.lists.get(key)
    if (list === undefined) this.lists.set(key, [offer])
    // Two values of one campaign can meet in a key.
    else if (list[list.length - 1] === offer) return
    else list.push(offer)
    this.entries++
  }

  /** `rank` is the offer's place when all offers are put in falling order. */
  build(columns: {
    readonly rank: Int32Array
    readonly bound: Float64Array
    readonly slot: (offer: number) => number
  }): KeyedLists {
    let places = 8
    while (places < this.lists.size * 2) places *= 2
    const built: KeyedLists = {
      keys: new Int32Array(new SharedArrayBuffer(places * 4)),
      starts: new Int32Array(new SharedArrayBuffer(places * 4)),
      ends: new Int32Array(new SharedArrayBuffer(places * 4)),
      bounds: new Float64Array(new SharedArrayBuffer(this.entries * 8)),
      offers: new Int32Array(new SharedArrayBuffer(this.entries * 4)),
      slots: new Int32Array(new SharedArrayBuffer(this.entries * 4)),
    }
    let used = 0
    for (const [key, list] of this.lists) {
      const start = used
      list.sort((a, b) => columns.rank[a]! - columns.rank[b]!)
      for (const offer of list) {
        built.bounds[used] = columns.bound[offer]!
        built.offers[used] = offer
        built.slots[used] = columns.slot(offer)
        used++
      }
      let at = key & (places - 1)
      while (built.ends[at] !== 0) at = (at + 1) & (places - 1)
      built.keys[at] = key
      built.starts[at] = start
      built.ends[at] = used
    }
    return built
  }
}

/** The place of a list in the table, or -1. */
export function findList(lists: KeyedLists, key: number): number {
  const { keys, ends } = lists
  const mask = keys.length - 1
  for (let at = key & mask; ends[at] !== 0; at = (at + 1) & mask) {
    if (keys[at] === key) return at
  }
  return -1
}
