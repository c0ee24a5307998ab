import { expect, test } from 'bun:test'
import { networkInterfaces } from 'node:os'
import { addressOf } from '../../src/http/server.ts'
import { Installation } from './installation.ts'

const TEST_MS = 15_000
const hasIpv6 = Object.values(networkInterfaces()).some(
  of => of?.some(({ address }) => address === '::1') === true,
)

test.each([
  ['127.0.0.1', 'http://127.0.0.1:80'],
  ['ads.example', 'http://ads.example:80'],
  ['0.0.0.0', 'http://127.0.0.1:80'],
  ['::1', 'http://[::1]:80'],
  ['::', 'http://[::1]:80'],
])('a server that listens on %s is reached at %s', (host, url) => {
  expect(addressOf(host, 80)).toBe(url)
})

test.each(['0.0.0.0', ...(hasIpv6 ? ['::1', '::'] : [])])(
  'links in ads lead to a server that listens on %s',
  async host => {
    const farthing = await Installation.start('--host', host)
    try {
      const scene = await farthing.campaign({ model: 'cpc', amountMicros: 1000 })
      const { impressionUrl, clickUrl } = await farthing.serve(scene)
      const status = async (url: string) => (await fetch(url, { redirect: 'manual' })).status
      expect([await status(impressionUrl), await status(clickUrl)]).toEqual([200, 302])
    } finally {
      await farthing.remove()
    }
  },
  TEST_MS,
)
