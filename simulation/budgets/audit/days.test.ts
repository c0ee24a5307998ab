import { expect, test } from 'bun:test'
import { newStop, noteServed } from './days.ts'

test('ads after a stop count by who could hear of it: from when a node was reached, cut off by itself, or with its region', () => {
  const stop = newStop()
  noteServed(stop, 1030, 1000, { since: 500 })
  noteServed(stop, 1100, 1000, { since: 1090 })
  expect(stop).toEqual({ connectedMs: 30, cutOffMs: 0, regionCutOffMs: 0 })
  noteServed(stop, 4000, 1000, 'nodeCutOff')
  noteServed(stop, 90_000, 1000, 'regionCutOff')
  noteServed(stop, 3000, 1000, 'nodeCutOff')
  expect(stop).toEqual({ connectedMs: 30, cutOffMs: 3000, regionCutOffMs: 89_000 })
})
