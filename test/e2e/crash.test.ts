import { afterAll, beforeAll, expect, test } from 'bun:test'
import { DEPOSIT_MICROS, eventually, Installation, runFarthing, type Served } from './installation.ts'

const CLICKS = 200
const PRICE_MICROS = 10_000
let farthing: Installation
beforeAll(async () => {
  farthing = await Installation.start('--hold-ms', '1000')
})
afterAll(async () => farthing?.remove())

test('a click answered before kill -9 is charged once after the restart', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: PRICE_MICROS })
  const served: Served[] = []
  for (let i = 0; i < CLICKS; i++) {
    const one = await farthing.serve(scene)
    await farthing.browse(one.impressionUrl)
    served.push(one)
  }
  await Bun.sleep(700)
  const answered: Served[] = []
  let killed: Promise<void> | null = null
  const click = async (one: Served, at: number) => {
    try {
      const response = await farthing.browse(one.clickUrl, { address: `81.2.70.${at}` })
      if (response.status === 302) answered.push(one)
      if (answered.length === CLICKS / 2) killed ??= farthing.kill()
    } catch {
      // The connection broke with the process: this click was not answered.
    }
  }
  let next = 0
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (next < CLICKS) {
        const at = next++
        await click(served[at]!, at)
      }
    }),
  )
  expect(killed).not.toBeNull()
  await killed
  expect(answered.length).toBeGreaterThanOrEqual(CLICKS / 2)
  expect(answered.length).toBeLessThan(CLICKS)
  await farthing.restart()
  const settled = (state: string | undefined) => state === 'charged' || state === 'rejected'
  let charged = 0
  for (const one of answered) {
    const charge = await eventually(
      () => farthing.charge(one.impressionId),
      value => settled(value?.state),
      3000,
    )
    expect(settled(charge?.state), `${one.impressionId} ${JSON.stringify(charge)}`).toBe(true)
  }
  for (const one of served) {
    const charge = await farthing.charge(one.impressionId)
    if (charge.state !== 'charged') continue
    charged++
    expect(charge.amountMicros).toBe(PRICE_MICROS)
  }
  expect(charged).toBeGreaterThan(0)
  const balance = async () =>
    (await farthing.must(200, 'GET', `/v1/advertisers/${scene.advertiserId}`)).balanceMicros
  expect(await balance()).toBe(DEPOSIT_MICROS - charged * PRICE_MICROS)
  // The same clicks again: nothing more is charged for those that were.
  const states = await Promise.all(answered.map(async one => (await farthing.charge(one.impressionId)).state))
  await Promise.all(answered.map((one, at) => farthing.browse(one.clickUrl, { address: `81.2.71.${at}` })))
  await Bun.sleep(500)
  expect(
    await Promise.all(answered.map(async one => (await farthing.charge(one.impressionId)).state)),
  ).toEqual(states)
  expect(await balance()).toBe(DEPOSIT_MICROS - charged * PRICE_MICROS)
  expect(await farthing.stop()).toBe(0)
  expect(await runFarthing(['verify', '--data', farthing.data])).toMatchObject({ code: 0 })
  expect(await runFarthing(['rebuild', '--data', farthing.data])).toMatchObject({ code: 0 })
}, 30_000)

test('a second process on the same data folder refuses, and the first serves on', async () => {
  const first = await Installation.start()
  try {
    for (const args of [['serve', '--port', '0'], ['verify'], ['rebuild']]) {
      const second = await runFarthing([...args, '--data', first.data], 8000)
      expect(second.code, second.output).toBeGreaterThan(0)
      expect(second.output).toMatch(/^farthing: .*(in use|another|already|running|lock)/im)
      expect(second.output).not.toContain('    at ')
    }
    expect((await first.call('GET', '/readyz')).status).toBe(200)
  } finally {
    await first.remove()
  }
}, 30_000)
