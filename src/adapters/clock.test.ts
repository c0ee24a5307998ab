import { expect, test } from 'bun:test'
import { FollowingClock, LeadingClock, machineClocks } from './clock.ts'

const DAY_MS = 86_400_000

test('both ends of the shared time tell the wall clock’s, and neither goes back when it is set back', async () => {
  let setBy = 0
  const read = machineClocks(DAY_MS)
  const leading = new LeadingClock(() => {
    const { wall, elapsed } = read()
    return { wall: wall + setBy, elapsed }
  })
  const following = new FollowingClock(leading.shared)
  expect(Math.abs(leading.now() - Date.now() - DAY_MS)).toBeLessThan(50)
  setBy = -30_000
  let [one, other] = [0, 0]
  for (let i = 0; i < 20; i++) {
    leading.beat()
    for (let j = 0; j < 100; j++) {
      const now = leading.now()
      expect(now).toBeGreaterThanOrEqual(one)
      one = now
      const followed = following.now()
      expect(followed).toBeGreaterThanOrEqual(other)
      other = followed
    }
    await Bun.sleep(5)
  }
  expect(Math.abs(one - other)).toBeLessThan(20)
  expect(one - Date.now() - DAY_MS).toBeGreaterThan(-50)
})

test('a thread whose monotonic clock counts from another moment has the same time', async () => {
  const leading = new LeadingClock(machineClocks(0))
  const following = new FollowingClock(leading.shared, () => performance.now() - 5_000_000)
  await Bun.sleep(30)
  // Seen at the latest beat: behind by the time since it, never ahead.
  expect(following.now()).toBeLessThanOrEqual(leading.now())
  leading.beat()
  expect(leading.now() - following.now()).toBeLessThan(10)
})
