import { expect, test } from 'bun:test'
import { Installation, runFarthing } from './installation.ts'
import { audit } from './outside-auditor.ts'
import { RandomLife } from './random-life.ts'

const LIVE_MS = 6000
const LANES = 8
const KILLS = 3
const TEST_MS = 90_000

test(
  'whatever is done to it, and killed again and again: charges, ledger, budgets and reports agree, and rebuild',
  async () => {
    const seed = Number(Bun.env['SEED'] ?? Date.now() % 1_000_000)
    const farthing = await Installation.start('--hold-ms', '1500')
    try {
      const life = new RandomLife(farthing, seed)
      await life.begin()
      await life.live(LIVE_MS, { lanes: LANES, kills: KILLS })
      const ledger = await audit(life)
      // A run in which nothing happened shows nothing.
      expect([life.kills, life.refunds.size > 0, ledger.charges.size > 50]).toEqual([KILLS, true, true])
      expect(await farthing.stop()).toBe(0)
      expect(await runFarthing(['verify', '--data', farthing.data])).toMatchObject({ code: 0 })
      expect(await runFarthing(['rebuild', '--data', farthing.data])).toMatchObject({ code: 0 })
      await farthing.restart()
      expect(await audit(life)).toEqual(ledger)
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    } finally {
      await farthing.remove()
    }
  },
  TEST_MS,
)
