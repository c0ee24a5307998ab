/** Open addressing from entity numbers (0 marks an empty place) to rows, at most half full, in shared memory. */
export interface NumberTable {
  readonly keys: Float64Array<SharedArrayBuffer>
  readonly rows: Int32Array<SharedArrayBuffer>
}

/** Rows are the places of the numbers in the list. */
export function newNumberTable(numbers: Float64Array): NumberTable {
  let places = 8
  while (places < numbers.length * 2) places *= 2
  const keys = new Float64Array(new SharedArrayBuffer(places * 8))
  const rows = new Int32Array(new SharedArrayBuffer(places * 4))
  for (let row = 0; row < numbers.length; row++) {
    let at = spread(numbers[row]!) & (places - 1)
    while (keys[at] !== 0) at = (at + 1) & (places - 1)
    keys[at] = numbers[row]!
    rows[at] = row
  }
  return { keys, rows }
}

/** -1 where the number is not in the table. */
export function rowOf(table: NumberTable, entity: number): number {
  const { keys, rows } = table
  const mask = keys.length - 1
  if (entity <= 0) return -1
  for (let at = spread(entity) & mask; keys[at] !== 0; at = (at + 1) & mask) {
    if (keys[at] === entity) return rows[at]!
  }
  return -1
}

function spread(entity: number): number {
  let hash = Math.imul((entity >>> 0) ^ Math.floor(entity / 4_294_967_296), 0x9e3779b1)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
