import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { requestLines } from '../../test/captured-requests.ts'
import { pick, randomFrom } from '../../test/random-campaigns.ts'
import { isObject } from './check.ts'
import { bidRequestShape } from './fields.ts'
import { BLOCK_LIST_LENGTH_MAX, ID_LENGTH_MAX, JSON_DEPTH_MAX, TEXT_LENGTH_MAX } from './limits.ts'
import { objectReader, type Wanted } from './object-reader.ts'
import { jsonDepthWithin, parseBidRequest, validateBidRequest } from './validate.ts'
import { wantedOfBidRequest } from './wanted.ts'

const reader = objectReader(
  bidRequestShape(() => {}),
  wantedOfBidRequest,
)

function read(text: string): object | null {
  const object = reader(text)
  return object === null ? null : { read: object }
}

/** What JSON.parse and the check make of a text, less what nobody wants; null where they refuse it. */
function parsed(text: string): object | null {
  if (!jsonDepthWithin(text)) return null
  try {
    const checked = validateBidRequest(JSON.parse(text))
    return checked.ok ? { read: wantedIn(checked.request, wantedOfBidRequest) } : null
  } catch {
    return null
  }
}

function wantedIn(value: unknown, { fields, inner }: Wanted): unknown {
  if (Array.isArray(value))
    return value.map(element => wantedIn(element, { fields, inner: inner ?? {}, make }))
  if (!isObject(value)) return value
  const picked = fields.filter(name => Object.hasOwn(value, name))
  return Object.fromEntries(
    picked.map(name => {
      const within = inner?.[name]
      return [name, within === undefined ? value[name] : wantedIn(value[name], within)]
    }),
  )
}
const make = () => ({})

/** The reader may leave a text to be parsed. It may not make anything else of it. */
function expectSame(text: string): void {
  const made = read(text)
  if (made !== null) expect<object>({ text, made }).toEqual({ text, made: parsed(text) })
}

const RICH = JSON.stringify({
  id: 'r',
  imp: [
    {
      id: '1',
      banner: {
        w: 300,
        h: 250,
        format: [
          { w: 1, h: 2 },
          { wratio: 3, hratio: 4 },
        ],
        battr: [1, 17],
        pos: 1,
      },
      tagid: 'plc_1',
      bidfloor: 1.25,
      bidfloorcur: 'EUR',
      secure: 1,
      pmp: { private_auction: 1, deals: [{ id: 'd', bidfloor: 2 }] },
    },
  ],
  app: {
    bundle: 'com.example',
    domain: 'example.com',
    cat: ['IAB1-2'],
    publisher: { id: 'pub_1', name: 'P' },
  },
  device: {
    ua: 'Mozilla/5.0',
    ipv6: '::1',
    devicetype: 4,
    ifa: '0000',
    geo: { lat: -12.5, lon: 1e2, country: 'USA', region: 'WI', city: 'Montr\u00e9al' },
    sua: { browsers: [{ brand: 'a"b' }] },
  },
  user: { id: 'u', data: [{ id: 'p', segment: [{ id: 's1', value: '\ud83d\ude00' }, { name: 'n' }] }] },
  test: 1,
  at: 500,
  cur: ['USD', 'EUR'],
  wseat: ['farthing'],
  bseat: ['other'],
  acat: ['IAB1'],
  bcat: ['IAB25'],
  badv: ['casino.example'],
  bapp: ['com.game'],
  source: { tid: 't', ext: { at: 1326240000.066617, deep: [[], {}, [null, true, false]] } },
  regs: { gpp_sid: [7, 8] },
})

describe('an object read from its text', () => {
  test('is what JSON.parse and the check make of it, for the captured requests, and nearly all are read so', () => {
    let reads = 0
    for (const line of requestLines()) {
      const made = read(line)
      if (made === null) continue
      reads++
      if (!Bun.deepEquals(made, parsed(line), false))
        expect<object>({ line, made }).toEqual({ line, made: parsed(line) })
    }
    expect(reads).toBeGreaterThan(requestLines().length * 0.99)
  })

  test('has every wanted field of a rich request, in whatever form its text is', () => {
    for (const text of [RICH, JSON.stringify(JSON.parse(RICH), null, '\t'), ` \r\n${RICH}\n`]) {
      expect<object>({ text, made: read(text) }).toEqual({ text, made: parsed(text) })
      expect(read(text)).not.toBeNull()
    }
  })

  test('is never anything else, whatever is changed in the text', () => {
    const random = randomFrom(7)
    const texts = [RICH, ...requestLines().slice(0, 200)]
    let made = 0
    for (let round = 0; round < 30_000; round++) {
      const text = changed(pick(random, texts), random)
      if (read(text) !== null) made++
      expectSame(text)
    }
    // Changes that all break the text would show nothing.
    expect(made).toBeGreaterThan(5000)
  })

  test('has numbers as JSON.parse reads them', () => {
    const floor = (number: string) => `{"id":"r","imp":[{"id":"1","banner":{},"bidfloor":${number}}]}`
    const digits = (min: number, max: number) =>
      fc
        .array(fc.constantFrom(...'0123456789'), { minLength: min, maxLength: max })
        .map(list => list.join(''))
    const exponent = fc.tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), digits(0, 2))
    const written = fc
      .tuple(digits(1, 20), fc.option(digits(0, 20)), fc.option(exponent))
      .map(([whole, part, power]) => whole + (part === null ? '' : `.${part}`) + (power ?? []).join(''))
    const numbers = fc.oneof(written, fc.double({ min: 0, max: 1e9 }).map(String))
    fc.assert(
      fc.property(numbers, number => expectSame(floor(number))),
      { numRuns: 3000 },
    )
    for (const number of [
      '0',
      '-0',
      '0.0',
      '0.1',
      '0.30000000000000004',
      '999999999.999999',
      '1e3',
      '123456789012345',
    ]) {
      expectSame(floor(number))
    }
    expect(read(floor('0.1'))).not.toBeNull()
  })

  test('keeps every bound', () => {
    const list = (length: number) => JSON.stringify(new Array(length).fill('a.example'))
    const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
    const cases: [sound: string, broken: string][] = [
      [`"wseat":["${'a'.repeat(TEXT_LENGTH_MAX)}"]`, `"wseat":["${'a'.repeat(TEXT_LENGTH_MAX + 1)}"]`],
      [`"badv":${list(BLOCK_LIST_LENGTH_MAX)}`, `"badv":${list(BLOCK_LIST_LENGTH_MAX + 1)}`],
      [
        `"user":{"data":[{"id":"${'a'.repeat(ID_LENGTH_MAX)}"}]}`,
        `"user":{"data":[{"id":"${'a'.repeat(ID_LENGTH_MAX + 1)}"}]}`,
      ],
      [`"x":${nested(JSON_DEPTH_MAX - 1)}`, `"x":${nested(JSON_DEPTH_MAX)}`],
      [
        `"device":{"sua":{"x":${nested(JSON_DEPTH_MAX - 3)}}}`,
        `"device":{"sua":{"x":${nested(JSON_DEPTH_MAX - 2)}}}`,
      ],
      ['"at":1', '"at":0'],
      ['"at":2147483647', '"at":2147483648'],
      ['"at":1', '"at":1.5'],
      ['"at":2', '"at":3'],
      ['"test":1', '"test":2'],
      ['"cur":["USD"]', '"cur":["US1"]'],
      ['"device":{"geo":{"lat":90}}', '"device":{"geo":{"lat":90.5}}'],
      ['"dooh":{"id":"1"}', '"dooh":{"id":"1"},"site":{}'],
      ['"app":{}', '"app":{},"site":{}'],
      ['"source":{"ext":{}}', '"source":{"ext":[]}'],
      ['"regs":{"gdpr":1}', '"regs":{"gdpr":"1"}'],
    ]
    for (const [sound, broken] of cases) {
      const text = (fields: string) => `{"id":"r","imp":[{"id":"1","banner":{}}],${fields}}`
      expect<object>({ sound, made: read(text(sound)) }).toEqual({ sound, made: parsed(text(sound)) })
      expect({ sound, isNull: read(text(sound)) === null }).toEqual({ sound, isNull: false })
      expect({ broken, made: read(text(broken)) }).toEqual({ broken, made: null })
    }
  })

  test('has all that is required, and nothing behind it', () => {
    const texts = [
      '{"id":"r"}',
      '{"imp":[{"id":"1","banner":{}}]}',
      '{"id":"r","imp":[{"id":"1"}]}',
      '{"id":"","imp":[{"id":"1","banner":{}}]}',
      '{"id":"r","imp":[{"id":"1","banner":{}}]}}',
      '{"id":"r","imp":[{"id":"1","banner":{}}]}\u0000',
      '{"id":"r","imp":[{"id":"1","banner":{"format":[{"w":1}]}}]}',
      '{"id":"r","imp":[{"id":"1","video":{}}]}',
      '',
      'null',
      '[]',
      '{"id":"r","imp":[{"id":"1","banner":{}}]',
    ]
    for (const text of texts) expect<object>({ text, made: read(text) }).toEqual({ text, made: null })
  })

  test('has of a name that comes twice the last, and misses the one that it stands in for', () => {
    const twice = '{"id":"r","imp":[{"id":"1","banner":{}}],"id":"s"}'
    expect(read(twice)).toEqual(parsed(twice) as object)
    expect(read(twice)).toMatchObject({ read: { id: 's' } })
    expect(read('{"id":"r","id":"s"}')).toBeNull()
  })

  test('has several imps, each of its own id', () => {
    const imps = (one: string, two: string) =>
      `{"id":"r","imp":[{"id":"${one}","banner":{}},{"id":"${two}","banner":{"w":1}}]}`
    expect(read(imps('1', '2'))).toEqual(parsed(imps('1', '2')) as object)
    expect(read(imps('1', '1'))).toBeNull()
  })
})

describe('a bid request in a text', () => {
  test('that is not sound is refused for the reasons that the check gives', () => {
    const text = '{"id":"r","imp":[{"id":"1","banner":{}}],"at":3}'
    expect(parseBidRequest(text)).toEqual({
      ok: false,
      errors: [{ path: 'at', message: 'must be 1, 2, or 500 and above' }],
    })
    expect(parseBidRequest('{"id":')).toBeNull()
    expect(parseBidRequest(`${'['.repeat(65)}${']'.repeat(65)}`)).toBeNull()
  })
})

const TOKENS = [
  ...'{}[]",:\\ \n\t0123456789.eE-+é\u0000\u0001\ud800',
  '"id":',
  '"badv":',
  'null',
  'true',
  '-0',
  '1e3',
  '01',
  '1.',
  '0.5',
  '"\\u0041"',
  '"\\ud83d\\ude00"',
  '\\u00',
  '\\/',
  '"\\x"',
  '{"a":1}',
  '[[1]]',
  ', ',
  '"é"',
  '"😀"',
]

function changed(text: string, random: ReturnType<typeof randomFrom>): string {
  const at = Math.floor(random() * text.length)
  const cut = at + Math.floor(random() * 4)
  switch (Math.floor(random() * 6)) {
    case 0:
      return text.slice(0, at) + pick(random, TOKENS) + text.slice(at)
    case 1:
      return text.slice(0, at) + text.slice(cut)
    case 2:
      return text.slice(0, at) + pick(random, TOKENS) + text.slice(cut)
    case 3: {
      // A value for another.
      const values = [...text.matchAll(/(?<=:)(?:"[^"]*"|[\d.-]+|\[[^[\]{}]*\])/g)]
      const { 0: old, index } = pick(random, values)
      return (
        text.slice(0, index) +
        pick(random, [...TOKENS, ...values.map(([value]) => value)]) +
        text.slice(index + old.length)
      )
    }
    case 4: {
      // A name for another.
      const names = [...text.matchAll(/"\w+"(?=:)/g)]
      const { 0: old, index } = pick(random, names)
      return text.slice(0, index) + pick(random, names)[0] + text.slice(index + old.length)
    }
    default: {
      const colon = text.indexOf(':', at)
      return colon < 0 ? text : `${text.slice(0, colon)} \n:\t ${text.slice(colon + 1)}`
    }
  }
}
