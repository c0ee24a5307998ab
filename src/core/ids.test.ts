import { expect, test } from 'bun:test'
import { formatId, formatUuid, parseId, parseUuid } from './ids.ts'

test.each([
  ['plc_0', 0],
  ['plc_1', 1],
  ['plc_a', 10],
  ['plc_zz', 1295],
  [formatId('placement', Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER],
  ['plc_2gosa7pa2gw', null], // 2^53
  ['plc_zzzzzzzzzzz', null],
  ['plc_', null],
  ['plc', null],
  ['plc_01', null],
  ['plc_A', null],
  ['plc_-1', null],
  ['plc_1 ', null],
  ['plc_1.5', null],
  ['plc-1', null],
  ['adv_1', null],
  ['', null],
])('the number in the id %p is %p', (id, entity) => {
  expect(parseId('placement', id)).toBe(entity)
})

test('every number has one id, which gives it back', () => {
  for (const entity of [0, 1, 35, 36, 256, 2 ** 31, 2 ** 32 + 7, 2 ** 48 - 1]) {
    expect(parseId('ad', formatId('ad', entity))).toBe(entity)
  }
})

test("16 bytes are a UUID's text, which gives them back", () => {
  const bytes = Uint8Array.from({ length: 18 }, (_, i) => (i * 15 + 6) & 255)
  expect(formatUuid(bytes, 2)).toBe('24334251-606f-7e8d-9cab-bac9d8e7f605')
  for (let byte = 0; byte < 256; byte++) {
    const turned = Uint8Array.from({ length: 16 }, (_, i) => (byte + i * 37) & 255)
    const text = formatUuid(turned, 0)
    expect(text[8]! + text[13]! + text[18]! + text[23]!).toBe('----')
    expect(parseUuid(text)).toEqual(turned)
  }
})
