import { expect, test } from 'bun:test'
import type { LeaseAsk } from '../ports/treasury-link.ts'
import { NodeLeases } from './node-leases.ts'

const CAMPAIGN = 512

/** A node with a thousand in hand, of a campaign whose money is scarce: it is kept for three seconds. */
function open() {
  const node = new NodeLeases(1, 1)
  let sequence = 0
  const answer = (ask: LeaseAsk | null, now: number, shards: boolean) =>
    node.onGrant(
      {
        node: 1,
        partition: 0,
        epoch: 1,
        term: 1,
        sequence: ++sequence,
        askSentAt: ask?.sentAt ?? null,
        validMs: 5000,
        shards: shards
          ? [
              {
                campaign: CAMPAIGN,
                shard: 0,
                grantedThousandths: 1000,
                voidThousandths: 0,
                pacing: 1,
                stopped: false,
                scarce: true,
                closed: false,
                dayStart: 0,
                dayEnd: Number.POSITIVE_INFINITY,
              },
            ]
          : [],
      },
      now,
    )
  answer(null, 1000, true)
  const ask = (now: number) => node.asks(now)[0]!
  const told = (now: number) => ask(now).shards.map(({ returnedThousandths }) => returnedThousandths)
  return { node, answer, ask, told }
}

test('what a node gives back as it asks is told until an ask that told it is answered, and then no more', () => {
  const { node, answer, ask, told } = open()
  node.returnIdle(5000)
  const first = ask(5000)
  expect(first.shards).toMatchObject([{ returnedThousandths: 1000 }])
  expect(told(6000)).toEqual([1000])
  answer(first, 6010, false)
  expect(told(7000)).toEqual([])
})

test('what changed since an ask is told again, whatever that was answered', () => {
  const { node, answer, ask, told } = open()
  const lease = node.leaseOf(0, CAMPAIGN, 0)
  node.record(lease, 1, 10, 0, 2000)
  const first = ask(2000)
  node.record(lease, 1, 10, 0, 2000)
  answer(first, 2010, false)
  expect(ask(3000).shards).toMatchObject([{ chosenThousandths: 20 }])

  node.record(lease, 1, 10, 0, 4000)
  const one = ask(4000)
  node.record(lease, 1, 10, 0, 4000)
  const other = ask(4000)
  expect(other.shards).toMatchObject([{ chosenThousandths: 40 }])
  // The times of the two are the same: it may have been the first that was heard.
  answer(one, 4010, false)
  expect(told(5000)).toEqual([0])
})
