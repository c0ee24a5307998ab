import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { AddressRanges, parseCidr } from './address-ranges.ts'
import { DataCentres } from './data-centre.ts'

test('a list with comments, blank lines, blocks and single addresses holds what it names', () => {
  const list = DataCentres.parse('# ours\r\n\n203.0.113.0/24 # rack 1\n 198.51.100.7\n2001:db8:1::/48\n')
  if (!list.ok) throw new Error(list.detail)
  const inside = ['203.0.113.0', '203.0.113.255', '::ffff:203.0.113.9', '198.51.100.7', '2001:db8:1:ffff::']
  const outside = [
    '203.0.112.255',
    '203.0.114.0',
    '198.51.100.6',
    '198.51.100.8',
    '2001:db8:2::',
    '',
    'x',
    '::',
  ]
  expect(inside.filter(address => !list.value.contains(address))).toEqual([])
  expect(outside.filter(address => list.value.contains(address))).toEqual([])
})

test('faults name their lines', () => {
  const list = DataCentres.parse(
    '10.0.0.0/8\n10.0.0.0/33\n\nexample.com\n::/129\n1.2.3.4/\n1.2.3.4/8/8\n1.2.3.4/08',
  )
  const lines = list.ok ? [] : list.errors.map(error => error.path)
  expect(lines).toEqual(['line 2', 'line 4', 'line 5', 'line 6', 'line 7', 'line 8'])
})

test('an empty list holds nothing', () => {
  expect(DataCentres.none.contains('10.0.0.1')).toBe(false)
})

test('contains is what checking block by block finds, however blocks overlap', () => {
  // Few distinct octets, so that blocks meet.
  const octet = fc.constantFrom(0, 1, 2, 127, 128, 254, 255)
  const address = fc.tuple(octet, octet, octet, octet).map(octets => octets.join('.'))
  const block = fc.tuple(address, fc.integer({ min: 0, max: 32 })).map(([text, bits]) => `${text}/${bits}`)
  fc.assert(
    fc.property(fc.array(block, { maxLength: 12 }), fc.array(address, { maxLength: 12 }), (blocks, asked) => {
      const ranges = AddressRanges.of(...blocks)
      const cidrs = blocks.map(text => parseCidr(text)!)
      for (const text of asked) {
        const { first } = parseCidr(text)!
        expect(ranges.contains(text)).toBe(cidrs.some(cidr => cidr.first <= first && first <= cidr.last))
      }
    }),
  )
})
