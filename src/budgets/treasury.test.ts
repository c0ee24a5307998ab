import { expect, test } from 'bun:test'
import { type ShardView, Treasury } from './treasury.ts'

const EPOCH = 1
const NODE = 1
const CAMPAIGN = 512
/** Thousandths of a micro: an impression at 1,000,000 micros a thousand. */
const PRICE = 1_000_000

test('what was chosen before a campaign stopped, and told after it, does not eat the lease that wakes it', () => {
  const view: { -readonly [K in keyof ShardView]: ShardView[K] } = {
    price: PRICE,
    model: 'cpm',
    grantableMicros: 5500,
    stopped: false,
  }
  const treasury = new Treasury(0, EPOCH, () => view)
  const tell = (impressions: number) =>
    treasury.onAsk({
      node: NODE,
      partition: 0,
      epoch: EPOCH,
      sentAt: 0,
      shards: [
        {
          campaign: CAMPAIGN,
          shard: 0,
          impressions,
          chosenThousandths: impressions * PRICE,
          variance: 0,
        },
      ],
    })
  let now = 0
  /** A round, and the decision on the lease that it asks for. Returns what the node has been granted so far. */
  const round = () => {
    const { leases, grants } = treasury.round([CAMPAIGN], [NODE], ++now)
    for (const { amountMicros } of leases?.leases ?? []) {
      view.grantableMicros -= amountMicros
      treasury.onLeased(CAMPAIGN, amountMicros)
    }
    return grants[0]!.shards[0]!.grantedThousandths
  }
  round()
  expect(round()).toBe(5.5 * PRICE)
  // Five of them are chosen and rendered, the budget is spent, and only then the node tells.
  treasury.onReleased(CAMPAIGN)
  view.stopped = true
  round()
  tell(5)
  expect(treasury.overdue).toBe(true)
  expect(treasury.chosenSince(++now)).toMatchObject({ shards: [{ chosenThousandths: 5 * PRICE }] })
  expect(treasury.overdue).toBe(false)
  // The cap is raised by five more.
  Object.assign(view, { stopped: false, grantableMicros: 5000 })
  round()
  expect(round() - 5 * PRICE).toBeGreaterThanOrEqual(PRICE)
})
