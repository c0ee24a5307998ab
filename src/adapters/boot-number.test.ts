import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBoots } from './boot-number.ts'

const NOW = Date.UTC(2026, 10, 1)
const SECOND = (NOW - Date.UTC(2020, 0, 1)) / 1000

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'farthing-boots-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a boot number is the second of the start, and the next one where the clock stood or stepped back', () => {
  expect(openBoots(folder, NOW).at(-1)).toBe(SECOND)
  expect(openBoots(folder, NOW).at(-1)).toBe(SECOND + 1)
  expect(openBoots(folder, NOW - 60_000).at(-1)).toBe(SECOND + 2)
  expect(openBoots(folder, NOW + 60_000).at(-1)).toBe(SECOND + 60)
})

test('the numbers of earlier starts are remembered, those of a folder that kept only the last one, too', () => {
  writeFileSync(join(folder, 'boot'), '7')
  openBoots(folder, NOW)
  expect(openBoots(folder, NOW)).toEqual([7, SECOND, SECOND + 1])
})

test('a file that holds no number is refused with what to do', () => {
  for (const text of ['x', '7\nx', '1.5']) {
    writeFileSync(join(folder, 'boot'), text)
    expect(() => openBoots(folder, NOW)).toThrow('Remove it')
  }
})
