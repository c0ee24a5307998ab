import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { MemoryRunStorage } from '../adapters/memory/run-storage.ts'
import { IngestedIds, type IngestedIdsLimits, KEPT_SECONDS, Seen } from './ingested-ids.ts'
import { fillIngestedRow, ROW_WORDS } from './ingested-row.ts'

const SMALL: IngestedIdsLimits = { recentRowsMax: 4, runsOfLevelMax: 2, runRowsMax: 64 }
/** Large enough for runs of several chunks. */
const WIDE: IngestedIdsLimits = { recentRowsMax: 300, runsOfLevelMax: 3, runRowsMax: 3000 }

function rowOf(eventId: string, content = 0, receivedSecond = 1000): Uint32Array {
  const row = new Uint32Array(ROW_WORDS)
  fillIngestedRow(row, { eventId, contentHash: content.toString(16).padStart(16, '0'), receivedSecond })
  return row
}

/** A row whose key has these words: to make keys that share their beginning. */
function rowOfKey(words: readonly number[]): Uint32Array {
  return Uint32Array.from([...words, 0, 0, 1000])
}

function stored(storage: MemoryRunStorage): unknown {
  const runs = storage.listRuns().sort((a, b) => a.id - b.id)
  return {
    pending: storage.pendingRows(),
    runs: runs.map(({ id, meta }) => ({
      id,
      meta,
      chunks: Array.from({ length: meta.firstKeys.length / 16 }, (_, i) => storage.readChunk(id, i)),
    })),
  }
}

type Step =
  | { kind: 'event'; id: number; content: number }
  | { kind: 'save' }
  | { kind: 'restart' }
  | { kind: 'crash' }
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({ kind: fc.constant('event' as const), id: fc.nat(150), content: fc.nat(1) }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'save' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
)

test('every id is absent once, then a repeat or a conflict, as a plain map says, through saves, restarts and crashes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), steps => {
      const storage = new MemoryRunStorage()
      let ids = new IngestedIds(storage, SMALL)
      let model = new Map<number, number>()
      let saved = new Map<number, number>()
      const save = () => {
        ids.save()
        saved = new Map(model)
      }
      for (const step of steps) {
        if (step.kind === 'event') {
          const known = model.get(step.id)
          const expected: Seen =
            known === undefined ? Seen.absent : known === step.content ? Seen.repeat : Seen.conflict
          const row = rowOf(`click ${step.id}`, step.content)
          expect(ids.lookup(row)).toBe(expected)
          if (expected === Seen.absent) {
            ids.add(row)
            model.set(step.id, step.content)
          }
        } else {
          if (step.kind !== 'crash') save()
          if (step.kind !== 'save') {
            ids = new IngestedIds(storage, SMALL)
            model = new Map(saved)
          }
        }
        expect(ids.size).toBe(model.size)
      }
      for (let id = 0; id <= 150; id++) {
        const seen = ids.lookup(rowOf(`click ${id}`, 0))
        expect(seen).toBe(model.has(id) ? (model.get(id) === 0 ? Seen.repeat : Seen.conflict) : Seen.absent)
      }
    }),
    { numRuns: 300 },
  )
})

test('the same ids give the same bytes, however they are split into batches and whatever restarts between', () => {
  const whole = new MemoryRunStorage()
  const ids = new IngestedIds(whole, WIDE)
  for (let i = 0; i < 4000; i++) ids.add(rowOf(`click ${i}`))
  ids.save()
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 20 }), batches => {
      const split = new MemoryRunStorage()
      let added = 0
      for (let batch = 0; added < 4000; batch++) {
        const ids = new IngestedIds(split, WIDE)
        const until = Math.min(4000, added + batches[batch % batches.length]!)
        while (added < until) ids.add(rowOf(`click ${added++}`))
        ids.save()
      }
      expect(stored(split)).toEqual(stored(whole))
    }),
    { numRuns: 20 },
  )
})

test('ids in runs of many chunks are found, and others are not', () => {
  const storage = new MemoryRunStorage()
  const ids = new IngestedIds(storage, WIDE)
  for (let i = 0; i < 10_000; i++) ids.add(rowOf(`click ${i}`, i % 2))
  ids.save()
  const reopened = new IngestedIds(storage, WIDE)
  expect(reopened.size).toBe(10_000)
  for (let i = 0; i < 10_000; i++) {
    expect(reopened.lookup(rowOf(`click ${i}`, 0))).toBe(i % 2 === 0 ? Seen.repeat : Seen.conflict)
    expect(reopened.lookup(rowOf(`other ${i}`, 0))).toBe(Seen.absent)
  }
})

test('keys that share their first words are told apart, also over the edge of a chunk', () => {
  const storage = new MemoryRunStorage()
  const ids = new IngestedIds(storage, WIDE)
  const rows = Array.from({ length: 900 }, (_, i) => rowOfKey([7, 7, i % 2, (i * 7919) % 1000]))
  for (const row of rows) ids.add(row)
  ids.save()
  for (const row of rows) expect(ids.lookup(row)).toBe(Seen.repeat)
  expect(ids.lookup(rowOfKey([7, 7, 2, 0]))).toBe(Seen.absent)
  expect(ids.lookup(rowOfKey([0, 0, 0, 0]))).toBe(Seen.absent)
  expect(ids.lookup(rowOfKey([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff]))).toBe(Seen.absent)
})

test('runs stay few: each level has fewer than a merge takes, but for those of the largest size', () => {
  const ids = new IngestedIds(new MemoryRunStorage(), {
    recentRowsMax: 8,
    runsOfLevelMax: 4,
    runRowsMax: 512,
  })
  for (let i = 0; i < 8 * 64 * 5 + 8 * 63; i++) {
    ids.add(rowOf(`click ${i}`))
    if (i % 100 === 0) ids.save()
  }
  expect(ids.runCount).toBe(5 + 3 + 3 + 3)
})

test('a run goes once its newest id is past keeping, and not a second before', () => {
  const storage = new MemoryRunStorage()
  const ids = new IngestedIds(storage, { ...SMALL, runsOfLevelMax: 8 })
  for (let i = 0; i < 8; i++) ids.add(rowOf(`click ${i}`, 0, 1000 + i))
  ids.save()
  ids.expire(1003 + KEPT_SECONDS)
  expect(ids.size).toBe(8)
  ids.expire(1004 + KEPT_SECONDS)
  expect(ids.size).toBe(4)
  expect(ids.lookup(rowOf('click 3'))).toBe(Seen.absent)
  expect(ids.lookup(rowOf('click 4'))).toBe(Seen.repeat)
  ids.save()
  expect(storage.listRuns().map(run => run.id)).toEqual([2])
})

test('a number is given out again in the batch that drops its run', () => {
  const storage = new MemoryRunStorage()
  const ids = new IngestedIds(storage, SMALL)
  for (let i = 0; i < 4; i++) ids.add(rowOf(`old ${i}`, 0, 1000))
  ids.save()
  ids.expire(2000 + KEPT_SECONDS)
  for (let i = 0; i < 4; i++) ids.add(rowOf(`new ${i}`, 0, 2000 + KEPT_SECONDS))
  ids.save()
  expect(storage.listRuns().map(run => run.id)).toEqual([1])
  expect(new IngestedIds(storage, SMALL).lookup(rowOf('new 1'))).toBe(Seen.repeat)
})

test('an id that is added twice stops the partition, at once or at the merge', () => {
  const ids = new IngestedIds(new MemoryRunStorage(), SMALL)
  ids.add(rowOf('click'))
  expect(() => ids.add(rowOf('click'))).toThrow('an id was added twice')
  for (let i = 0; i < 3; i++) ids.add(rowOf(`click ${i}`))
  expect(() => {
    for (const id of ['click', 'a', 'b', 'c']) ids.add(rowOf(id))
  }).toThrow('twice')
})

const records = fc.array(fc.array(fc.tuple(fc.nat(60), fc.nat(1)), { minLength: 1, maxLength: 30 }), {
  maxLength: 30,
})

test('a record of many ids is claimed as one id after the other, and leaves the same runs wherever it is saved', () => {
  fc.assert(
    fc.property(records, fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }), (said, restarts) => {
      const [storage, plainStorage] = [new MemoryRunStorage(), new MemoryRunStorage()]
      let ids = new IngestedIds(storage, SMALL)
      const plain = new IngestedIds(plainStorage, SMALL)
      const model = new Map<number, number>()
      const seen = new Uint8Array(30)
      for (const [number, record] of said.entries()) {
        const rows = new Uint32Array(record.length * ROW_WORDS)
        const expected = record.map(([id, content], i) => {
          rows.set(rowOf(`id-${id}`, content), i * ROW_WORDS)
          const known = model.get(id)
          if (known === undefined) model.set(id, content)
          return known === undefined ? Seen.absent : known === content ? Seen.repeat : Seen.conflict
        })
        ids.claim(rows, seen)
        expect([...seen.subarray(0, record.length)]).toEqual(expected)
        plain.claim(rows, seen)
        if (!restarts[number]) continue
        ids.save()
        ids = new IngestedIds(storage, SMALL)
      }
      ids.save()
      plain.save()
      expect(stored(storage)).toEqual(stored(plainStorage))
    }),
  )
})
