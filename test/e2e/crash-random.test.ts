import { expect, test } from 'bun:test'
import { Random } from '../../simulation/random.ts'
import { DEPOSIT_MICROS, eventually, Installation, runFarthing, type Served } from './installation.ts'

const CRASHES = 8
const LANES = 24
const CLICKS = 120
/** So long, or less, the clicks are left to go on. */
const CLICKS_MS = 60
const PRICE_MICROS = 1000
/** Clicks younger than this have a reason to be refused. */
const SOON_MS = 550

async function lanes(work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: LANES }, work))
}

test('killed again and again at random moments under load: what was answered is charged or refused, once', async () => {
  const seed = Number(Bun.env['SEED'] ?? Date.now() % 1_000_000)
  const random = new Random(seed)
  const farthing = await Installation.start('--hold-ms', '1000')
  try {
    const scene = await farthing.campaign({ model: 'cpc', amountMicros: PRICE_MICROS })
    const answered: Served[] = []
    const sent: Served[] = []
    for (let crash = 0; crash < CRASHES; crash++) {
      const ready: Served[] = []
      await lanes(async () => {
        while (ready.length < CLICKS) {
          const one = await farthing.serve(scene)
          await farthing.browse(one.impressionUrl)
          ready.push(one)
        }
      })
      await Bun.sleep(SOON_MS)
      sent.push(...ready)
      let killed: Promise<void> | null = null
      const timer = setTimeout(() => {
        killed = farthing.kill()
      }, random.below(CLICKS_MS))
      await lanes(async () => {
        for (let one = ready.pop(); one !== undefined && killed === null; one = ready.pop()) {
          const from = { address: `81.${crash}.69.${ready.length}` }
          const response = await farthing.browse(one.clickUrl, from).catch(() => null)
          if (response?.status === 302) answered.push(one)
        }
      })
      clearTimeout(timer)
      killed ??= farthing.kill()
      await killed
      await farthing.restart()
    }
    expect(answered.length, `seed ${seed}`).toBeGreaterThan(CRASHES)
    let charged = 0
    for (const one of answered) {
      const charge = await eventually(
        () => farthing.charge(one.impressionId),
        ({ state }) => state === 'charged' || state === 'rejected',
      )
      // A pixel's answer waits for the disk as a click's does: what was shown and clicked is charged.
      expect(charge, `seed ${seed}, ${one.impressionId}`).toMatchObject({ state: 'charged', duplicates: 0 })
    }
    for (const one of sent) {
      if ((await farthing.charge(one.impressionId)).state === 'charged') charged++
    }
    const { balanceMicros } = await farthing.must(200, 'GET', `/v1/advertisers/${scene.advertiserId}`)
    expect(balanceMicros, `seed ${seed}`).toBe(DEPOSIT_MICROS - charged * PRICE_MICROS)
    expect(await farthing.stop()).toBe(0)
    expect(await runFarthing(['verify', '--data', farthing.data])).toMatchObject({ code: 0 })
    expect(await runFarthing(['rebuild', '--data', farthing.data])).toMatchObject({ code: 0 })
  } finally {
    await farthing.remove()
  }
}, 60_000)
