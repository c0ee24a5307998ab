import { afterEach, beforeEach, expect, test } from 'bun:test'
import { TestDecider } from '../../test/test-decider.ts'
import type { Command } from '../records/events.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'
import type { Partition } from './partition.ts'

let world: TestDecider
let partitions: Partition[]

beforeEach(async () => {
  partitions = []
  world = new TestDecider()
  world.onLoad = partition => partitions.push(partition)
  await world.open()
})
afterEach(() => world.close())

let requests = 0

/** Makes an advertiser under a key that partition 1 owns; what was answered to the request. */
async function make(key: string, bodyHash = 'same'): Promise<Outcome | undefined> {
  const buffer = new RecordBuffer()
  const requestId = write(buffer, key, bodyHash)
  await world.append(buffer)
  await decided()
  return outcomeOf(requestId)
}

interface Outcome {
  readonly status: number
  readonly body: unknown
}

function outcomeOf(requestId: string): Outcome | undefined {
  return world.told.flatMap(({ outcomes }) => outcomes).find(found => found.requestId === requestId)?.outcome
}

function write(buffer: RecordBuffer, key: string, bodyHash: string): string {
  const requestId = `claimed-${++requests}`
  const sent: Command = {
    requestId,
    actor: { keyId: 'key_test', role: 'admin', accountId: null },
    at: world.now,
    name: 'createAdvertiser',
    home: 0,
    target: null,
    body: { name: key },
    claim: { partition: 1, key, bodyHash },
  }
  buffer.json(RecordKind.command, 1, world.now, sent)
  return requestId
}

/** The command goes to its home and its outcome comes back, each through the log. */
async function decided(): Promise<void> {
  await world.drain()
  await world.pass(1)
  await world.pass(1)
}

test('an idempotency key is out of memory once it is settled, and known from the store', async () => {
  const first = await make('key-1')
  expect(first?.status).toBe(201)
  for (let i = 2; i < 20; i++) await make(`key-${i}`)
  expect(partitions.map(({ claims }) => claims.size)).toEqual([0, 0])
  const again = await make('key-1')
  expect(again?.body).toMatchObject({ id: (first!.body as { id: string }).id, replayed: true })
  expect((await make('key-1', 'other'))?.status).toBe(409)
  expect(partitions.map(({ claims }) => claims.size)).toEqual([0, 0])
  expect(world.count(`entity WHERE kind = 'advertiser'`)).toBe(19)
})

test('who comes with a key while its command is under way is answered as one who comes later', async () => {
  const buffer = new RecordBuffer()
  const ids = ['same', 'same', 'other'].map(bodyHash => write(buffer, 'key', bodyHash))
  await world.append(buffer)
  await decided()
  const [first, second, third] = ids.map(outcomeOf)
  expect(first?.body).not.toHaveProperty('replayed')
  expect(second).toEqual({ status: 201, body: { ...(first!.body as object), replayed: true } })
  expect(third?.status).toBe(409)
  expect(world.count(`entity WHERE kind = 'advertiser'`)).toBe(1)
})
