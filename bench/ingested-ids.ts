/**
 * What an ingested id costs: `bun bench/ingested-ids.ts [ids in millions, 20]`. Limit: a new id's look-up under 1 us
 * with 20 million ids kept, on an in-memory storage. Exits 1 beyond it.
 */
import { MemoryRunStorage } from '../src/adapters/memory/run-storage.ts'
import { IngestedIds, Seen } from '../src/tracking/ingested-ids.ts'
import { fillIngestedRow, ROW_WORDS } from '../src/tracking/ingested-row.ts'

const MISS_NS_MAX = 1000
const LOOKUPS = 1_000_000
/** Ids of one batch, as a busy partition commits them. */
const BATCH = 1000

const millions = Number(
  process.argv.find(argument => /^[0-9.]+$/.test(argument)) ?? (process.argv.includes('--short') ? 2 : 20),
)
const idsTotal = Math.round(millions * 1_000_000)

/** Keys as SHA-256 would give them: murmur3's finalizer over a counter, a different stream for each word. */
function keyOf(row: Uint32Array, number: number): void {
  for (let word = 0; word < 6; word++) {
    let mixed = (number ^ Math.imul(word + 1, 0x9e3779b9)) >>> 0
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    row[word] = mixed ^ (mixed >>> 16)
  }
  row[6] = 1_700_000_000 + Math.floor(number / 10_000)
}

const row = new Uint32Array(ROW_WORDS)

function nsEach(count: number, run: (i: number) => void): number {
  const start = performance.now()
  for (let i = 0; i < count; i++) run(i)
  return ((performance.now() - start) * 1e6) / count
}

function lookupNs(ids: IngestedIds, from: number, step: number, expected: Seen): number {
  let others = 0
  const ns = nsEach(LOOKUPS, i => {
    keyOf(row, from + i * step)
    if (ids.lookup(row) !== expected) others++
  })
  if (others > 0) throw new Error(`${others} look-ups were not ${expected}`)
  return ns - keyNs
}

for (let i = 0; i < LOOKUPS; i++) keyOf(row, i)
const keyNs = nsEach(LOOKUPS, i => keyOf(row, i))
const contentHash = '0123456789abcdef'
const hashNs = nsEach(LOOKUPS, i => {
  fillIngestedRow(row, { eventId: `click-${i}`, contentHash, receivedSecond: 1_700_000_000 })
})

const storage = new MemoryRunStorage()
const ids = new IngestedIds(storage)
lookupNs(ids, 2 ** 31, 1, Seen.absent)
const missNsEmpty = lookupNs(ids, 2 ** 31, 1, Seen.absent)

let pauseMsMax = 0
const pausesMs: number[] = []
const addStart = performance.now()
for (let number = 0; number < idsTotal; number += BATCH) {
  const start = performance.now()
  for (let i = number; i < Math.min(idsTotal, number + BATCH); i++) {
    keyOf(row, i)
    if (ids.lookup(row) !== Seen.absent) throw new Error('an id was there before it was added')
    ids.add(row)
  }
  ids.save()
  pausesMs.push(performance.now() - start)
  pauseMsMax = Math.max(pauseMsMax, pausesMs.at(-1)!)
}
const addNs = ((performance.now() - addStart) * 1e6) / idsTotal
pausesMs.sort((a, b) => a - b)

const missNs = lookupNs(ids, 2 ** 31, 1, Seen.absent)
const repeatNs = lookupNs(ids, 0, Math.max(1, Math.floor(idsTotal / LOOKUPS)), Seen.repeat)
const openStart = performance.now()
const reopened = new IngestedIds(storage)
const openMs = performance.now() - openStart
if (reopened.size !== idsTotal) throw new Error('a restart lost ids')

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
console.log(`hash of an id, row filled          ${hashNs.toFixed(0)} ns`)
console.log(`new id, look-up at 0 ids           ${missNsEmpty.toFixed(0)} ns`)
console.log(
  `new id, look-up at ${millions}M ids         ${missNs.toFixed(0)} ns, limit ${MISS_NS_MAX} ns, ${ids.runCount} runs`,
)
console.log(`repeat, look-up at ${millions}M ids         ${repeatNs.toFixed(0)} ns`)
console.log(`look-up, add, save, merges         ${addNs.toFixed(0)} ns an id`)
console.log(
  `a batch of ${BATCH}                    p50 ${pausesMs[pausesMs.length >> 1]!.toFixed(1)} ms, p99.9 ` +
    `${pausesMs[Math.floor(pausesMs.length * 0.999)]!.toFixed(1)} ms, longest ${pauseMsMax.toFixed(0)} ms (a merge)`,
)
console.log(`open from storage                  ${openMs.toFixed(1)} ms`)
console.log(
  `memory: filters and first keys     ${megabytes(ids.residentBytes)}, ${(ids.residentBytes / ids.size).toFixed(2)} bytes an id`,
)
console.log(`stored rows                        ${megabytes(ids.size * ROW_WORDS * 4)}`)
if (missNs > MISS_NS_MAX && idsTotal <= 20_000_000) {
  console.error(`new id at ${millions}M: ${missNs.toFixed(0)} ns is over the limit of ${MISS_NS_MAX} ns`)
  process.exit(1)
}
