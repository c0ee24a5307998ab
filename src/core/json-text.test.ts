import { expect, test } from 'bun:test'
import { jsonText } from './json-text.ts'

test('each UTF-16 unit is written as JSON.stringify writes it, alone and among others', () => {
  expect(jsonText('')).toBe('""')
  for (let unit = 0; unit <= 0xffff; unit++) {
    const character = String.fromCharCode(unit)
    if (jsonText(character) !== JSON.stringify(character)) throw new Error(`unit ${unit} alone`)
    const among = `id-1${character}2`
    if (jsonText(among) !== JSON.stringify(among)) throw new Error(`unit ${unit} among others`)
  }
})
