import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { Installation, runFarthing } from './installation.ts'

const TEST_MS = 30_000
/** A click sooner after its impression is not a person's. */
const HUMAN_MS = 650

/** One change a table, of one figure in one row. */
const CHANGES: Readonly<Record<string, string>> = {
  entity: `UPDATE entity SET owner = owner + 1 WHERE kind = 'campaign'`,
  history: `UPDATE history SET actor = 'nobody' WHERE kind = 'campaign'`,
  money: `UPDATE money SET state = json_set(state, '$.spentTotalMicros', 7) WHERE kind = 'campaign'`,
  claim: `UPDATE claim SET body_hash = 'other'`,
  requests: `UPDATE requests SET requests = requests + 1`,
  entry: 'UPDATE entry SET fee_amount = fee_amount + 1 WHERE kind = 1',
  account: `UPDATE account SET balance = balance + 1 WHERE account = 'fee'`,
  transition: 'UPDATE transition SET reason = reason + 1',
  rollup: 'UPDATE rollup SET spend = spend + 1 WHERE spend > 0',
  bits: 'UPDATE bits SET issued_until = issued_until + 1',
  repeat: 'UPDATE token_repeat SET count = count + 1',
}

test(
  'rebuild finds whatever was changed in the tables, verify what was changed in the ledger',
  async () => {
    const farthing = await Installation.start()
    try {
      const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
      const once = { 'Idempotency-Key': 'once' }
      await farthing.call('POST', `/v1/advertisers/${scene.advertiserId}/deposits`, { amountMicros: 5 }, once)
      const [paid, hasty] = [await farthing.serve(scene), await farthing.serve(scene)]
      await farthing.browse(paid.impressionUrl)
      await farthing.browse(hasty.impressionUrl)
      await farthing.browse(hasty.clickUrl)
      await farthing.chargeIn(hasty.impressionId, 'rejected')
      await Bun.sleep(HUMAN_MS)
      for (let i = 0; i < 2; i++) await farthing.browse(paid.clickUrl)
      await farthing.chargeIn(paid.impressionId, 'charged')
      // Requests are written once a second.
      await Bun.sleep(1100)
      expect(await farthing.stop()).toBe(0)
      const run = (command: string) => runFarthing([command, '--data', farthing.data])
      expect((await run('verify')).code).toBe(0)
      expect((await run('rebuild')).code).toBe(0)

      const db = new Database(join(farthing.data, 'store.sqlite'))
      for (const [table, sql] of Object.entries(CHANGES))
        expect(db.run(sql).changes, table).toBeGreaterThan(0)
      db.close()
      const rebuilt = await run('rebuild')
      const differences = JSON.parse(rebuilt.output).differences.toSorted()
      expect([rebuilt.code, differences]).toEqual([
        1,
        Object.keys(CHANGES)
          .map(table => `table ${table} differs`)
          .toSorted(),
      ])
      const verified = await run('verify')
      expect(verified.code).toBe(1)
      expect(JSON.parse(verified.output)).toMatchObject({
        ok: false,
        firstBroken: { entryId: expect.any(String) },
      })
    } finally {
      await farthing.remove()
    }
  },
  TEST_MS,
)
