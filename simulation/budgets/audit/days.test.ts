import { expect, test } from 'bun:test'
import { newStop, noteServed } from './days.ts'

test('ads after a stop count by who could hear of it: from when a node was reached, cut off by itself, or with its region', () => {
  const stop = newStop()
  noteServed(stop, 1030, 1000, { since: 500, nodeCutOff: false })
  noteServed(stop, 1100, 1000, { since: 1090, nodeCutOff: false })
  expect(stop).toEqual({ connectedMs: 30, cutOffMs: 0, regionCutOffMs: 0 })
  noteServed(stop, 4000, 1000, { since: 500, nodeCutOff: true })
  noteServed(stop, 90_000, 1000, 'regionCutOff')
  noteServed(stop, 8000, 1000, { since: 6000, nodeCutOff: true })
  expect(stop).toEqual({ connectedMs: 30, cutOffMs: 3000, regionCutOffMs: 89_000 })
})
