import { afterEach, beforeEach, expect, test } from 'bun:test'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Installation, runFarthing } from './installation.ts'

const TEST_MS = 60_000
const guarantee = (title: string, body: () => Promise<void>) => test(title, body, TEST_MS)

let farthing: Installation
beforeEach(async () => {
  farthing = await Installation.start()
  await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
})
afterEach(() => farthing.remove())

const serve = () => runFarthing(['serve', '--port', '0', '--data', farthing.data])
const rebuild = () => runFarthing(['rebuild', '--data', farthing.data])
const log = (copy = '') => join(farthing.data, `log.sqlite${copy}`)

guarantee('a log that is older than the books is refused, and is left as it is', async () => {
  expect(await farthing.stop()).toBe(0)
  copyFileSync(log(), log('.older'))
  await farthing.restart()
  await farthing.must(201, 'POST', '/v1/advertisers', { name: 'since' })
  expect(await farthing.stop()).toBe(0)
  copyFileSync(log(), log('.whole'))
  copyFileSync(log('.older'), log())
  for (const end of ['-wal', '-shm']) rmSync(log(end), { force: true })
  const refused = await serve()
  expect([refused.code, refused.output]).toEqual([
    1,
    expect.stringContaining('is not the one that the books came from'),
  ])
  expect(refused.output).not.toContain('    at ')
  const { code, output } = await rebuild()
  expect([code, output]).toEqual([1, expect.stringContaining('is not the one that the books came from')])
  copyFileSync(log('.whole'), log())
  for (const end of ['-wal', '-shm']) rmSync(log(end), { force: true })
  expect((await rebuild()).code).toBe(0)
  await farthing.restart()
})

guarantee(
  'a store that cannot be read says so, and is made anew from the log once it is moved away',
  async () => {
    const before = (await farthing.must(200, 'GET', '/v1/ledger/entries')).items
    expect(await farthing.stop()).toBe(0)
    const store = join(farthing.data, 'store.sqlite')
    for (const end of ['', '-wal', '-shm']) rmSync(`${store}${end}`, { force: true })
    writeFileSync(store, 'no database\n'.repeat(1000))
    const refused = await serve()
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('move it away')])
    expect((await runFarthing(['verify', '--data', farthing.data])).output).toContain('move it away')
    rmSync(store)
    await farthing.restart()
    expect((await farthing.must(200, 'GET', '/v1/ledger/entries')).items).toEqual(before)
  },
)

guarantee('a damaged file of the folder is named, with what to do about it', async () => {
  expect(await farthing.stop()).toBe(0)
  for (const end of ['-wal', '-shm']) rmSync(log(end), { force: true })
  for (const [name, advice] of [
    ['log.sqlite', 'put back a backup of the folder'],
    ['keys.json', 'Put back a backup of it'],
    ['boot', 'Remove it'],
  ] as const) {
    const path = join(farthing.data, name)
    const whole = readFileSync(path)
    writeFileSync(path, 'no such thing\n'.repeat(1000))
    const { code, output } = await serve()
    expect([name, code]).toEqual([name, 1])
    expect(output).toContain(path)
    expect(output).toContain(advice)
    writeFileSync(path, whole)
  }
  await farthing.restart()
})
