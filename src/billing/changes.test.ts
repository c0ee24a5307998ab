import { expect, test } from 'bun:test'
import { TestDecider } from '../../test/test-decider.ts'
import { parseId } from '../core/ids.ts'

test('sums over accounts are exact beyond 2^53, in any split of the log into batches', async () => {
  const world = new TestDecider()
  await world.open()
  try {
    for (const name of ['A', 'B', 'C']) {
      const advertiser = (await world.command('createAdvertiser', null, { name })) as { id: string }
      const amountMicros = Number.MAX_SAFE_INTEGER
      await world.command('deposit', parseId('advertiser', advertiser.id), { amountMicros })
    }
    const cash = () =>
      world.store.all<{ sum: string }>(
        `SELECT CAST(sum(balance) AS TEXT) AS sum FROM account WHERE account = 'cash'`,
        [],
      )
    const exact = [{ sum: String(-3n * BigInt(Number.MAX_SAFE_INTEGER)) }]
    expect(cash()).toEqual(exact)
    await world.replay()
    expect(cash()).toEqual(exact)
  } finally {
    world.close()
  }
})
