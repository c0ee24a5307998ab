import { expect, test } from 'bun:test'
import { machineClocks } from '../../src/adapters/clock.ts'
import { campaignDay } from '../../src/campaigns/schedule.ts'
import { eventually, Installation, runFarthing, type Scene, type Served } from './installation.ts'

const TEST_MS = 30_000
const HOUR = 3_600_000
const DAY = 24 * HOUR
const PRICE_MICROS = 10_000
const CPC = { model: 'cpc', amountMicros: PRICE_MICROS } as const

/** The clocks of this machine, its wall clock set and its sleep made up at will. */
function steppedClocks() {
  const read = machineClocks(0)
  const step = { wallMs: 0, sleptMs: 0 }
  const clocks = () => {
    const { wall, elapsed } = read()
    return { wall: wall + step.wallMs + step.sleptMs, elapsed: elapsed + step.sleptMs }
  }
  return { step, clocks }
}

async function shown(farthing: Installation, scene: Scene): Promise<Served> {
  const served = await farthing.serve(scene)
  await farthing.browse(served.impressionUrl)
  await Bun.sleep(600)
  return served
}

async function clicked(farthing: Installation, scene: Scene): Promise<Served> {
  const served = await shown(farthing, scene)
  expect((await farthing.browse(served.clickUrl)).status).toBe(302)
  expect(await farthing.chargeIn(served.impressionId, 'charged')).toMatchObject({
    amountMicros: PRICE_MICROS,
  })
  return served
}

const campaignOf = (farthing: Installation, scene: Scene) =>
  farthing.must(200, 'GET', `/v1/campaigns/${scene.campaignId}`)

const oneADay = (timeZone: string) => ({
  budget: { dailyMicros: PRICE_MICROS },
  schedule: { timeZone },
})

for (const [what, stepMs] of [
  ['forward by two days', 2 * DAY],
  ['back by two days', -2 * DAY],
] as const) {
  test(
    `a wall clock that is set ${what} opens no day, ends no hold and expires no token`,
    async () => {
      const { step, clocks } = steppedClocks()
      const farthing = await Installation.inside(clocks, '--hold-ms', '2000')
      try {
        const scene = await farthing.campaign(CPC, oneADay('UTC'))
        const rich = await farthing.campaign(CPC)
        const before = await shown(farthing, rich)
        const held = await farthing.serve(rich)
        await clicked(farthing, scene)
        const { status } = await eventually(
          () => campaignOf(farthing, scene),
          ({ status }) => status === 'exhaustedDaily',
        )
        expect(status).toBe('exhaustedDaily')
        await farthing.browse(held.clickUrl)
        expect(await farthing.chargeIn(held.impressionId, 'pending')).toMatchObject({ state: 'pending' })

        step.wallMs = stepMs
        await Bun.sleep(300)
        expect(await farthing.charge(held.impressionId)).toMatchObject({ state: 'pending' })
        await farthing.browse(before.clickUrl)
        const charge = await farthing.chargeIn(before.impressionId, 'charged')
        expect(charge).toMatchObject({ state: 'charged', amountMicros: PRICE_MICROS })
        expect(Math.abs(Date.parse(charge.history.at(-1).at) - Date.now())).toBeLessThan(30_000)
        await clicked(farthing, rich)
        expect(await campaignOf(farthing, scene)).toMatchObject({
          status: 'exhaustedDaily',
          spend: { todayMicros: PRICE_MICROS },
        })
        const settled = await farthing.chargeIn(held.impressionId, 'rejected')
        expect(settled).toMatchObject({ state: 'rejected', reason: 'unrendered' })
        const [pending, rejected] = settled.history.map(({ at }: { at: string }) => Date.parse(at))
        expect(rejected - pending).toBeGreaterThanOrEqual(2000)
        expect(rejected - pending).toBeLessThan(6000)
        // The same click again, under the new time: nothing more.
        await farthing.browse(before.clickUrl)
        expect(await campaignOf(farthing, rich)).toMatchObject({
          spend: { totalMicros: 2 * PRICE_MICROS },
        })
      } finally {
        await farthing.remove()
      }
    },
    TEST_MS,
  )
}

test(
  'after two days of sleep, by the boot clock, the next day is open and yesterday’s tokens are expired',
  async () => {
    const { step, clocks } = steppedClocks()
    const farthing = await Installation.inside(clocks, '--hold-ms', '60000')
    try {
      const scene = await farthing.campaign(CPC, oneADay('Pacific/Auckland'))
      const rich = await farthing.campaign(CPC)
      const [old, held] = [await shown(farthing, rich), await farthing.serve(rich)]
      await farthing.browse(held.clickUrl)
      await farthing.chargeIn(held.impressionId, 'pending')
      const first = await clicked(farthing, scene)
      step.sleptMs = 2 * DAY
      expect(await farthing.chargeIn(held.impressionId, 'rejected')).toMatchObject({ reason: 'unrendered' })
      await farthing.browse(old.clickUrl)
      expect(await farthing.chargeIn(old.impressionId, 'rejected')).toMatchObject({ reason: 'expired' })
      await farthing.browse(first.clickUrl)
      await clicked(farthing, scene)
      expect(await campaignOf(farthing, scene)).toMatchObject({
        spend: { todayMicros: PRICE_MICROS, totalMicros: 2 * PRICE_MICROS },
      })
    } finally {
      await farthing.remove()
    }
  },
  TEST_MS,
)

test(
  'a start with a clock set back goes on from the last logged time: charged once, in the same day',
  async () => {
    const farthing = await Installation.start()
    try {
      const scene = await farthing.campaign(CPC, oneADay('America/New_York'))
      const rich = await farthing.campaign(CPC)
      const before = await shown(farthing, rich)
      const once = await clicked(farthing, scene)
      expect(await farthing.stop()).toBe(0)
      farthing.clockOffsetMs = -2 * DAY
      await farthing.restart()
      expect((await farthing.browse(before.clickUrl)).status).toBe(302)
      expect(await farthing.chargeIn(before.impressionId, 'charged')).toMatchObject({ state: 'charged' })
      await farthing.browse(once.clickUrl)
      const after = await clicked(farthing, rich)
      const { history } = await farthing.charge(after.impressionId)
      expect(Date.parse(history.at(-1).at)).toBeGreaterThan(Date.now() - 30_000)
      expect(await campaignOf(farthing, scene)).toMatchObject({
        status: 'exhaustedDaily',
        spend: { todayMicros: PRICE_MICROS, totalMicros: PRICE_MICROS },
      })
      expect(await farthing.stop()).toBe(0)
      expect(await runFarthing(['verify', '--data', farthing.data])).toMatchObject({ code: 0 })
      expect(await runFarthing(['rebuild', '--data', farthing.data])).toMatchObject({ code: 0 })
    } finally {
      await farthing.remove()
    }
  },
  TEST_MS,
)

test(
  'a start a day later: the token is expired, the day is another, and a replay decides the same',
  async () => {
    const farthing = await Installation.start('--hold-ms', '60000')
    try {
      const scene = await farthing.campaign(CPC, oneADay('Asia/Kolkata'))
      const rich = await farthing.campaign(CPC)
      const [old, held] = [await shown(farthing, rich), await farthing.serve(rich)]
      await farthing.browse(held.clickUrl)
      await farthing.chargeIn(held.impressionId, 'pending')
      const once = await clicked(farthing, scene)
      await farthing.kill()
      farthing.clockOffsetMs = DAY + HOUR
      await farthing.restart()
      expect(await farthing.chargeIn(held.impressionId, 'rejected')).toMatchObject({ reason: 'unrendered' })
      await farthing.browse(old.clickUrl)
      expect(await farthing.chargeIn(old.impressionId, 'rejected')).toMatchObject({ reason: 'expired' })
      await farthing.browse(once.clickUrl)
      await clicked(farthing, scene)
      expect(await campaignOf(farthing, scene)).toMatchObject({
        spend: { todayMicros: PRICE_MICROS, totalMicros: 2 * PRICE_MICROS },
      })
      expect(await farthing.stop()).toBe(0)
      expect(await runFarthing(['verify', '--data', farthing.data])).toMatchObject({ code: 0 })
      expect(await runFarthing(['rebuild', '--data', farthing.data])).toMatchObject({ code: 0 })
    } finally {
      await farthing.remove()
    }
  },
  TEST_MS,
)

test(
  'a day’s budget opens at midnight in the campaign’s own zone, not before',
  async () => {
    const zone = 'Asia/Kathmandu'
    const farthing = await Installation.start()
    try {
      // The clock stands some seconds before midnight there.
      expect(await farthing.stop()).toBe(0)
      const midnight = campaignDay(zone, Date.now()).end
      farthing.clockOffsetMs = midnight - 8000 - Date.now()
      await farthing.restart()
      const now = () => Date.now() + farthing.clockOffsetMs
      const scene = await farthing.campaign(CPC, oneADay(zone))
      await clicked(farthing, scene)
      const ask = () => farthing.browse(`/serve?placement=${scene.placementId}&format=json`)
      await eventually(
        () => campaignOf(farthing, scene),
        ({ status }) => status === 'exhaustedDaily',
      )
      while (now() < midnight - 400) {
        expect((await ask()).status).toBe(204)
        await Bun.sleep(100)
      }
      const first = await eventually(ask, ({ status }) => status === 200)
      expect(first.status).toBe(200)
      expect(now()).toBeGreaterThanOrEqual(midnight)
      expect(now()).toBeLessThan(midnight + 4000)
      expect(await campaignOf(farthing, scene)).toMatchObject({
        status: 'active',
        spend: { todayMicros: 0, totalMicros: PRICE_MICROS },
      })
    } finally {
      await farthing.remove()
    }
  },
  TEST_MS,
)
