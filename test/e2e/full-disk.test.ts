import { expect, test } from 'bun:test'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import {
  DEPOSIT_MICROS,
  eventually,
  Installation,
  runFarthing,
  type Scene,
  type Served,
} from './installation.ts'
import { SmallDisk } from './small-disk.ts'

const TEST_MS = 40_000
const PRICE_MICROS = 10_000
const CPC = { model: 'cpc', amountMicros: PRICE_MICROS } as const
const CLICKS_BEFORE = 5
const CLICKS_MAX = 400

async function shown(farthing: Installation, scene: Scene, count: number): Promise<Served[]> {
  const served: Served[] = []
  for (let i = 0; i < count; i++) {
    const one = await farthing.serve(scene)
    await farthing.browse(one.impressionUrl)
    served.push(one)
  }
  await Bun.sleep(600)
  return served
}

async function click(farthing: Installation, one: Served, at: number): Promise<void> {
  const response = await farthing.browse(one.clickUrl, { address: `81.2.${at >> 8}.${at & 255}` })
  expect(response.status).toBe(302)
}

const readiness = async (farthing: Installation) => (await farthing.call('GET', '/readyz')).status
const lost = async (farthing: Installation) =>
  (await farthing.call('GET', '/live.json')).body.counters.lost as number

/** Each is charged once or not at all, and the books say the same. Returns how many are charged. */
async function chargedOf(
  farthing: Installation,
  scene: Scene,
  clicked: readonly Served[],
): Promise<Served[]> {
  const charged: Served[] = []
  for (const one of clicked) {
    const charge = await farthing.charge(one.impressionId)
    if (charge.state === 'charged') charged.push(one)
    else expect(charge.status).toBe(404)
  }
  const { balanceMicros } = await farthing.must(200, 'GET', `/v1/advertisers/${scene.advertiserId}`)
  expect(balanceMicros).toBe(DEPOSIT_MICROS - charged.length * PRICE_MICROS)
  return charged
}

async function expectSoundBooks(farthing: Installation): Promise<void> {
  expect(await farthing.stop()).toBe(0)
  expect(await runFarthing(['verify', '--data', farthing.data])).toMatchObject({ code: 0 })
  expect(await runFarthing(['rebuild', '--data', farthing.data])).toMatchObject({ code: 0 })
}

test(
  'a full disk: ads and redirects go on, what cannot be kept is counted and never billed, and room brings all back',
  async () => {
    const disk = new SmallDisk(48)
    const farthing = await Installation.at(join(disk.path, 'data'))
    try {
      const scene = await farthing.campaign(CPC)
      const clicked = await shown(farthing, scene, CLICKS_BEFORE)
      const later = await shown(farthing, scene, CLICKS_MAX)
      for (const [at, one] of clicked.entries()) await click(farthing, one, at)
      for (const one of clicked) await farthing.chargeIn(one.impressionId, 'charged')

      disk.fill(farthing.pid)
      while (later.length > 0 && (await lost(farthing)) < 3) {
        const one = later.shift()!
        await click(farthing, one, clicked.length)
        clicked.push(one)
      }
      expect(await lost(farthing)).toBeGreaterThanOrEqual(3)
      expect(
        await eventually(
          () => readiness(farthing),
          status => status === 503,
        ),
      ).toBe(503)
      expect((await farthing.call('GET', '/livez')).status).toBe(200)
      expect((await farthing.browse(`/serve?placement=${scene.placementId}&format=json`)).status).toBe(200)
      const deposit = `/v1/advertisers/${scene.advertiserId}/deposits`
      expect((await farthing.call('POST', deposit, { amountMicros: 1 })).status).toBe(503)
      const event = { click_id: 'full', ad_id: scene.adId, timestamp: new Date().toISOString() }
      expect((await farthing.call('POST', '/events/click', event)).status).toBe(503)

      disk.empty()
      expect(
        await eventually(
          () => readiness(farthing),
          status => status === 200,
        ),
      ).toBe(200)
      const lastly = later.shift()!
      await click(farthing, lastly, clicked.length)
      clicked.push(lastly)
      expect(await farthing.chargeIn(lastly.impressionId, 'charged')).toMatchObject({ state: 'charged' })
      const charged = await chargedOf(farthing, scene, clicked)
      expect(charged.length).toBeLessThan(clicked.length)
      expect(charged.length).toBeGreaterThan(CLICKS_BEFORE)
      // What was lost used nothing up: the same click, once more, counts.
      const missed = clicked.find(one => !charged.includes(one))!
      await click(farthing, missed, CLICKS_MAX)
      expect(await farthing.chargeIn(missed.impressionId, 'charged')).toMatchObject({ duplicates: 0 })
      await chargedOf(farthing, scene, clicked)
      await expectSoundBooks(farthing)
    } finally {
      disk.empty()
      await farthing.remove()
      disk.remove()
    }
  },
  TEST_MS,
)

test(
  'a full disk under the store alone: the log keeps each click, and all are charged once there is room',
  async () => {
    const disk = new SmallDisk(48)
    const data = `${disk.path}-data`
    mkdirSync(data)
    symlinkSync(join(disk.path, 'store.sqlite'), join(data, 'store.sqlite'))
    const farthing = await Installation.at(data)
    try {
      const scene = await farthing.campaign(CPC)
      const clicked = await shown(farthing, scene, CLICKS_MAX)
      disk.fill(farthing.pid)
      let sent = 0
      while (sent < CLICKS_MAX && (await readiness(farthing)) === 200) {
        await click(farthing, clicked[sent]!, sent)
        sent++
      }
      for (const one of clicked.slice(sent)) await click(farthing, one, sent++)
      expect(await readiness(farthing)).toBe(503)
      expect(await lost(farthing)).toBe(0)
      // Beyond the life of a lease: the treasury goes on with what it has leased.
      await Bun.sleep(5500)
      expect((await farthing.browse(`/serve?placement=${scene.placementId}&format=json`)).status).toBe(200)

      disk.empty()
      expect(
        await eventually(
          () => readiness(farthing),
          status => status === 200,
        ),
      ).toBe(200)
      await farthing.chargeIn(clicked.at(-1)!.impressionId, 'charged')
      expect(await chargedOf(farthing, scene, clicked)).toHaveLength(CLICKS_MAX)
      await expectSoundBooks(farthing)
    } finally {
      disk.empty()
      await farthing.remove()
      disk.remove()
      rmSync(data, { recursive: true, force: true })
    }
  },
  TEST_MS,
)
