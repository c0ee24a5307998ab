import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import {
  type CanonicalValue,
  type ChainedEntry,
  canonicalJson,
  entryHash,
  entryJcs,
  ZERO_HASH,
} from './chain.ts'

const unicode = fc.string({ unit: 'binary' }).filter(text => text.isWellFormed())
const hash = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })
const entry = fc.record(
  {
    id: unicode,
    chain: unicode,
    sequence: fc.maxSafeNat(),
    at: unicode,
    kind: unicode,
    eventId: unicode,
    campaignId: unicode,
    currency: unicode,
    postings: fc.array(fc.record({ account: unicode, amountMicros: fc.maxSafeInteger() }), { maxLength: 5 }),
    chargesRoot: hash,
    prevHash: hash,
  },
  { requiredKeys: ['id', 'chain', 'sequence', 'at', 'kind', 'currency', 'postings', 'prevHash'] },
)

test('the fast form of an entry is its canonical JSON, whatever its texts hold', () => {
  fc.assert(
    fc.property(entry, value => {
      expect(entryJcs(value)).toBe(canonicalJson(value as unknown as CanonicalValue))
      expect(JSON.parse(entryJcs(value))).toEqual(value)
    }),
    { numRuns: 2000 },
  )
})

test('keys are sorted by UTF-16 code units, as in the example of RFC 8785 section 3.2.3', () => {
  const sorted = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33']
  const shuffled = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6']
  const json = canonicalJson(Object.fromEntries(shuffled.map(key => [key, 0])))
  expect(json).toBe(`{${sorted.map(key => `${JSON.stringify(key)}:0`).join(',')}}`)
})

test('the string of RFC 8785 section 3.2.2 is escaped as there', () => {
  expect(canonicalJson('\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/')).toBe(
    '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"',
  )
})

test('literals, integers and nesting', () => {
  expect(canonicalJson({ b: [1, -2, -0, 2 ** 53 - 1], a: { d: null, c: [true, false, {}, []] } })).toBe(
    '{"a":{"c":[true,false,{},[]],"d":null},"b":[1,-2,0,9007199254740991]}',
  )
})

const refusals: [title: string, value: unknown][] = [
  ['a fraction', 0.5],
  ['an integer beyond 2^53', 2 ** 53],
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['a lone surrogate', 'a\ud800'],
  ['a lone surrogate in a key', { '\udc00': 1 }],
  ['undefined', undefined],
  ['an undefined member', { a: undefined }],
  ['a hole in a list', new Array(1)],
  ['a bigint', 1n],
  ['a function', () => 1],
  ['a date', new Date(0)],
  ['a map', new Map()],
]
test.each(refusals)('%s has no canonical form', (_, value) => {
  expect(() => canonicalJson(value as CanonicalValue)).toThrow()
})

const sample: ChainedEntry = {
  id: 'ent_1',
  chain: '3',
  sequence: 1,
  at: '2026-11-24T00:00:00.000Z',
  kind: 'charge',
  currency: 'EUR',
  postings: [
    { account: 'campaign:cmp_1', amountMicros: -5 },
    { account: 'fee', amountMicros: 5 },
  ],
  prevHash: ZERO_HASH,
}

test('an entry with a lone surrogate is refused', () => {
  expect(() => entryJcs({ ...sample, kind: '\ud800' })).toThrow()
})

test('the hash is SHA-256 over 32 bytes and the text, from hex and bytes alike', () => {
  const jcs = entryJcs(sample)
  const expected = createHash('sha256')
    .update(Buffer.concat([Buffer.alloc(32), Buffer.from(jcs)]))
    .digest('hex')
  expect(entryHash(ZERO_HASH, jcs)).toBe(expected)
  expect(entryHash(expected, jcs)).not.toBe(expected)
})

test('the hash of a long entry in any letters is that of its UTF-8', () => {
  const long = { ...sample, currency: 'ж€'.repeat(3000), eventId: 'ünïque "id"\\' }
  const jcs = entryJcs(long)
  expect(jcs).toBe(canonicalJson(JSON.parse(JSON.stringify(long))))
  const expected = createHash('sha256')
    .update(Buffer.concat([Buffer.alloc(32), Buffer.from(jcs)]))
    .digest('hex')
  expect(entryHash(ZERO_HASH, jcs)).toBe(expected)
  expect(entryHash(ZERO_HASH, entryJcs(sample))).not.toBe(expected)
})

test('each character stands in a text as JSON.stringify has it', () => {
  for (let unit = 0; unit < 0x300; unit++) {
    const text = `a${String.fromCharCode(unit)}b`
    expect(canonicalJson(text)).toBe(JSON.stringify(text))
  }
})

test('a previous hash that is not 32 bytes is a bug of ours', () => {
  expect(() => entryHash('00', '{}')).toThrow()
  expect(() => entryHash('A'.repeat(64), '{}')).toThrow()
})
