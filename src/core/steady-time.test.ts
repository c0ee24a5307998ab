import { describe, expect, test } from 'bun:test'
import { STEP_MS_MAX, SteadyTime } from './steady-time.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './time.ts'

const START = Date.parse('2026-11-24T12:00:00.000Z')

/** A machine whose wall clock is set at will and whose boot clock is not. */
class Machine {
  elapsed = 5000
  wallAhead = 0
  readonly time: SteadyTime

  constructor() {
    this.time = new SteadyTime(this.reading())
  }

  reading() {
    return { wall: START + this.elapsed - 5000 + this.wallAhead, elapsed: this.elapsed }
  }

  pass(ms: number): number {
    this.elapsed += ms
    return this.time.advance(this.reading()) - START
  }
}

describe('time', () => {
  test('follows a wall clock that is right', () => {
    const machine = new Machine()
    expect(machine.pass(40)).toBe(40)
    expect(machine.pass(DAY_MS)).toBe(DAY_MS + 40)
  })

  test.each([
    ['a day forward', DAY_MS],
    ['a minute and a bit forward', STEP_MS_MAX + 1],
    ['a day back', -DAY_MS],
    ['ten years back', -3650 * DAY_MS],
  ])('is not fooled by a wall clock that is set %s', (_what, step) => {
    const machine = new Machine()
    machine.pass(SECOND_MS)
    machine.wallAhead = step
    expect(machine.pass(SECOND_MS)).toBe(2 * SECOND_MS)
    expect(machine.time.notFollowedMs(machine.reading())).toBe(step)
    expect(machine.pass(2 * HOUR_MS)).toBe(2 * HOUR_MS + 2 * SECOND_MS)
    machine.wallAhead = 0
    expect(machine.pass(SECOND_MS)).toBe(2 * HOUR_MS + 3 * SECOND_MS)
    expect(machine.time.notFollowedMs(machine.reading())).toBe(0)
  })

  test('has passed while the machine slept: the boot clock says so too', () => {
    const machine = new Machine()
    machine.pass(SECOND_MS)
    expect(machine.pass(9 * HOUR_MS)).toBe(9 * HOUR_MS + SECOND_MS)
  })

  test('takes a small step forward at once, and a small step back by running slower, never back', () => {
    const machine = new Machine()
    machine.wallAhead = 30 * SECOND_MS
    expect(machine.pass(10)).toBe(30 * SECOND_MS + 10)
    machine.wallAhead = 0
    let last = 30 * SECOND_MS + 10
    for (let i = 0; i < 2000; i++) {
      const now = machine.pass(500)
      expect(now).toBeGreaterThan(last)
      last = now
    }
    expect(last).toBe(2000 * 500 + 10)
  })

  test('goes on from the last logged time after a start with a clock set back, and lets the wall catch up', () => {
    const machine = new Machine()
    machine.time.notBefore(START + HOUR_MS)
    expect(machine.pass(MINUTE_MS)).toBe(HOUR_MS + MINUTE_MS * 0.95)
    expect(machine.pass(20 * HOUR_MS)).toBe(20 * HOUR_MS + MINUTE_MS)
  })

  test('does not go back where the boot clock does', () => {
    const machine = new Machine()
    machine.pass(HOUR_MS)
    expect(machine.pass(-SECOND_MS)).toBeGreaterThanOrEqual(HOUR_MS)
  })
})
