import { expect, test } from 'bun:test'
import { isIP } from 'node:net'
import fc from 'fast-check'
import { clientAddress, isPublicAddress, normalAddress } from './address.ts'
import { AddressRanges } from './address-ranges.ts'

const normal: [text: string, normal: string | null][] = [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::', '::'],
  ['1::', '1::'],
  ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
  ['', null],
  ['1.2.3', null],
  ['1.2.3.4.5', null],
  ['1.2.3.256', null],
  ['01.2.3.4', null],
  ['1.2.3.4 ', null],
  ['0x7f.0.0.1', null],
  ['2130706433', null],
  [':::', null],
  ['1:2:3:4:5:6:7', null],
  ['1:2:3:4:5:6:7:8:9', null],
  ['1::2::3', null],
  ['1:2:3:4:5:6:7::8', null],
  ['12345::', null],
  ['1:', null],
  [':1', null],
  ['::1.2.3', null],
  ['1:2:3:4:5:6:7:1.2.3.4', null],
  ['192.0.2.1%eth0', null],
]
test.each(normal)('the normal text of %p is %p', (text, expected) => {
  expect(normalAddress(text)).toBe(expected)
})

test('any address means what the URL parser takes it for, and formatting settles', () => {
  const anyAddress = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(...':.0129afF'), maxLength: 24 }),
  )
  fc.assert(
    fc.property(anyAddress, text => {
      const found = normalAddress(text)
      // Bun takes leading zeros in IPv4 where this does not.
      if (/(^|[.:])0\d+\./.test(text)) return
      expect(found !== null).toBe(isIP(text) !== 0)
      if (found === null) return
      expect(normalAddress(found)).toBe(found)
      // Bun's URL refuses some that end in dotted form, which RFC 4291 and Node allow.
      if (found.includes(':') && !text.includes('.'))
        expect(new URL(`http://[${text}]/`).hostname).toBe(`[${found}]`)
    }),
    { numRuns: 5000 },
  )
})

const reach: [isPublic: boolean, hosts: string[]][] = [
  [true, ['8.8.8.8', '1.1.1.1', '172.15.0.1', '172.32.0.1', '100.63.0.1', '100.128.0.1', '223.255.255.255']],
  [true, ['2606:4700:4700::1111', '2001:4860:4860::8888', '::ffff:8.8.8.8', '2a00:1450::1']],
  [false, ['127.0.0.1', '127.255.255.255', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1']],
  [
    false,
    ['169.254.169.254', '100.64.0.1', '0.0.0.0', '192.0.2.9', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
  ],
  [false, ['::', '::1', 'fe80::1', 'fec0::1', 'fc00::1', 'fd12:3456::1', 'ff02::1', '2001:db8::1', '100::1']],
  [
    false,
    ['::ffff:127.0.0.1', '::ffff:a00:1', '::127.0.0.1', '64:ff9b::10.0.0.1', '2002:7f00:1::', '2001::1'],
  ],
  [false, ['', 'localhost', '1.2.3', 'example.com']],
]
test.each(reach)('public: %p for %p', (isPublic, hosts) => {
  expect(hosts.filter(host => isPublicAddress(host) !== isPublic)).toEqual([])
})

const disguises = [
  '2130706433',
  '0x7f000001',
  '0x7f.1',
  '0177.0.0.1',
  '127.1',
  '[::ffff:127.0.0.1]',
  '[::FFFF:7f00:1]',
]
test.each(disguises)('the loopback address written as %s is not public', host => {
  expect(isPublicAddress(new URL(`http://${host}/`).hostname.replace(/[[\]]/g, ''))).toBe(false)
})

const trusted = AddressRanges.of('127.0.0.0/8', '::1', '10.0.0.0/8')
const clients: [peer: string, forwardedFor: string | null, client: string][] = [
  ['203.0.113.9', null, '203.0.113.9'],
  ['203.0.113.9', '198.51.100.1', '203.0.113.9'],
  ['127.0.0.1', null, '127.0.0.1'],
  ['::ffff:127.0.0.1', '198.51.100.1', '198.51.100.1'],
  ['::1', '198.51.100.1', '198.51.100.1'],
  ['127.0.0.1', '1.2.3.4, 198.51.100.1', '198.51.100.1'],
  ['127.0.0.1', '1.2.3.4,198.51.100.1,10.0.0.2 , 10.0.0.3', '198.51.100.1'],
  ['127.0.0.1', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
  ['127.0.0.1', '1.2.3.4, unknown, 10.0.0.2', '10.0.0.2'],
  ['127.0.0.1', '', '127.0.0.1'],
  ['127.0.0.1', ',', '127.0.0.1'],
  ['127.0.0.1', ',198.51.100.1', '198.51.100.1'],
  ['127.0.0.1', ',10.0.0.1', '10.0.0.1'],
  ['127.0.0.1', '198.51.100.1:4711', '198.51.100.1'],
  ['127.0.0.1', '[2001:DB8::1]:4711', '2001:db8::1'],
  ['127.0.0.1', '2001:db8::1', '2001:db8::1'],
  ['127.0.0.1', '[', '127.0.0.1'],
  ['unix', '198.51.100.1', 'unix'],
]
test.each(clients)('peer %s with X-Forwarded-For %p is the client %s', (peer, forwardedFor, client) => {
  expect(clientAddress({ peer, forwardedFor, trusted })).toBe(client)
})

test('whatever a client writes in front, what the trusted proxy appended is its address', () => {
  fc.assert(
    fc.property(fc.string(), written => {
      const forwardedFor = `${written}, 198.51.100.7`
      expect(clientAddress({ peer: '10.0.0.1', forwardedFor, trusted })).toBe('198.51.100.7')
    }),
  )
})

test('a peer is judged by the list that it comes with, whoever came before', () => {
  const none = AddressRanges.of('192.0.2.0/24')
  for (const [peer, list, client] of [
    ['10.0.0.1', trusted, '198.51.100.7'],
    ['10.0.0.1', none, '10.0.0.1'],
    ['8.8.8.8', trusted, '8.8.8.8'],
    ['10.0.0.1', trusted, '198.51.100.7'],
    ['unix', trusted, 'unix'],
  ] as const) {
    expect(clientAddress({ peer, forwardedFor: '198.51.100.7', trusted: list })).toBe(client)
  }
})
