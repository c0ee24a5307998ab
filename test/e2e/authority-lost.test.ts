import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { DEPOSIT_MICROS, eventually, Installation, runFarthing, type Scene } from './installation.ts'

const PRICE_MICROS = 10_000
const CPC = { model: 'cpc', amountMicros: PRICE_MICROS } as const
const LEASE_MS = 5000

test('a treasury that answers no more: closed campaigns stop, open ones at the end of their lease, nothing is lost', async () => {
  const farthing = await Installation.start()
  const store = new Database(join(farthing.data, 'store.sqlite'))
  try {
    const open = await farthing.campaign(CPC)
    const closed = await farthing.campaign(CPC, { whenAuthorityLost: 'closed' })
    const shown = [await farthing.serve(open), await farthing.serve(closed)]
    for (const one of shown) await farthing.browse(one.impressionUrl)
    await Bun.sleep(600)
    const chosen = async (scene: Scene) =>
      (await farthing.browse(`/serve?placement=${scene.placementId}&format=json`)).status === 200
    const readiness = async () => (await farthing.call('GET', '/readyz')).status
    // While all is well both go on, with or without traffic: asks are answered.
    await Bun.sleep(LEASE_MS + 500)
    expect([await chosen(open), await chosen(closed)]).toEqual([true, true])

    // The decider meets a store that is not as it left it, and stops for good.
    store.run('ALTER TABLE rollup RENAME TO taken_away')
    const since = performance.now()
    for (const one of shown) expect((await farthing.browse(one.clickUrl)).status).toBe(302)
    expect(
      await eventually(
        () => chosen(closed),
        is => !is,
      ),
    ).toBe(false)
    const closedAfter = performance.now() - since
    expect(closedAfter).toBeLessThan(3500)
    expect(await chosen(open)).toBe(true)
    expect(await eventually(readiness, status => status === 503)).toBe(503)
    expect(
      await eventually(
        () => chosen(open),
        is => !is,
        8000,
      ),
    ).toBe(false)
    const openAfter = performance.now() - since
    expect(openAfter).toBeGreaterThan(closedAfter + 1000)
    expect(openAfter).toBeLessThan(LEASE_MS + 1500)

    await farthing.kill()
    store.run('ALTER TABLE taken_away RENAME TO rollup')
    await farthing.restart()
    expect(await readiness()).toBe(200)
    for (const one of shown) {
      expect(await farthing.chargeIn(one.impressionId, 'charged')).toMatchObject({
        state: 'charged',
        amountMicros: PRICE_MICROS,
        duplicates: 0,
      })
    }
    for (const scene of [open, closed]) {
      expect(await eventually(() => chosen(scene), Boolean)).toBe(true)
      const { balanceMicros } = await farthing.must(200, 'GET', `/v1/advertisers/${scene.advertiserId}`)
      expect(balanceMicros).toBe(DEPOSIT_MICROS - PRICE_MICROS)
    }
    expect(await farthing.stop()).toBe(0)
    expect(await runFarthing(['verify', '--data', farthing.data])).toMatchObject({ code: 0 })
    expect(await runFarthing(['rebuild', '--data', farthing.data])).toMatchObject({ code: 0 })
  } finally {
    store.close()
    await farthing.remove()
  }
}, 40_000)

test('a store that another program holds for a while: ads go on, clicks wait, and are charged once after it', async () => {
  const farthing = await Installation.start()
  const store = new Database(join(farthing.data, 'store.sqlite'))
  try {
    const scene = await farthing.campaign(CPC)
    const shown = await farthing.serve(scene)
    await farthing.browse(shown.impressionUrl)
    await Bun.sleep(600)
    store.run('BEGIN IMMEDIATE')
    expect((await farthing.browse(shown.clickUrl)).status).toBe(302)
    const readiness = async () => (await farthing.call('GET', '/readyz')).status
    expect(await eventually(readiness, status => status === 503)).toBe(503)
    await farthing.serve(scene)
    store.run('ROLLBACK')
    expect(await eventually(readiness, status => status === 200)).toBe(200)
    expect(await farthing.chargeIn(shown.impressionId, 'charged')).toMatchObject({ duplicates: 0 })
    await farthing.serve(scene)
    const { balanceMicros } = await farthing.must(200, 'GET', `/v1/advertisers/${scene.advertiserId}`)
    expect(balanceMicros).toBe(DEPOSIT_MICROS - PRICE_MICROS)
  } finally {
    store.close()
    await farthing.remove()
  }
}, 40_000)
