import { afterAll, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'

const FARTHING = join(import.meta.dir, '../../farthing')
const LIMIT_MS = 60_000
const SMALL = ['--nodes', '3', '--campaigns', '5', '--hours', '0.3']

const folder = mkdtempSync(join(tmpdir(), 'farthing-simulate-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const Figures = z.object({
  scenario: z.string(),
  seed: z.number(),
  overbilledMicros: z.number(),
  givenAwayShare: z.number(),
  reversedShare: z.number(),
  deliveredShare: z.number().nullable(),
  strandedMicros: z.number(),
  stops: z.number(),
  stopMs: z.object({ p50: z.number(), p99: z.number(), max: z.number() }),
  cutOffStopMs: z.object({ p50: z.number(), p99: z.number(), max: z.number() }).nullable(),
  pacingError: z.number().nullable(),
  messagesPerCharge: z.number(),
  charges: z.number(),
  nodes: z.number(),
  campaigns: z.number(),
  faults: z.record(z.string(), z.number()),
})

async function simulate(...args: readonly string[]) {
  const child = Bun.spawn([FARTHING, 'simulate', ...args], {
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: LIMIT_MS,
  })
  const [out, error, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { out, error, code }
}

test('help names the options, and --list the scenarios', async () => {
  const [help, list] = await Promise.all([simulate('--help'), simulate('--list')])
  expect(help.out).toContain('--scenario NAME')
  expect(help.out).toContain('--seeds')
  expect(list.out).toContain('everything-at-once')
  expect([help.code, list.code]).toEqual([0, 0])
})

test('--compare shows other ways of keeping budgets beside this one', async () => {
  const args = ['--compare', '--scenario', 'small-budgets', '--seed', '3', ...SMALL, '--json']
  const { code, out } = await simulate(...args)
  expect(code).toBe(0)
  const spread = z.object({ mean: z.number(), worst: z.number() })
  const row = z.object({ way: z.string(), overShare: spread, strandedShare: spread })
  const { seeds, rows } = z.object({ seeds: z.array(z.number()), rows: z.array(row) }).parse(JSON.parse(out))
  expect(seeds).toEqual([3])
  const overOf = (way: string) => rows.find(known => known.way.startsWith(way))?.overShare.worst
  for (const way of ['leases', 'static split', 'slices', 'single owner', 'one counter']) {
    expect({ way, over: overOf(way) }).toEqual({ way, over: 0 })
  }
  expect((await simulate('--compare', '--html', 'page.html')).code).toBe(2)
}, 60_000)

test('what it does not know is said, with what there is', async () => {
  const unknown = await simulate('--scenario', 'no-such-day')
  expect(unknown.code).toBe(2)
  expect(unknown.error).toContain('There is no scenario no-such-day')
  expect(unknown.error).toContain('calm-day')
  for (const args of [['--seed', '-1'], ['--nodes', '1.5'], ['--hours', 'x'], ['--colour']]) {
    const { code, out } = await simulate('--scenario', 'pause', ...args)
    expect({ args, code, out }).toEqual({ args, code: 2, out: '' })
  }
})

test('one seed is one run, the same to the byte in two processes, with a page or without', async () => {
  const page = join(folder, 'page.html')
  const args = ['--scenario', 'everything-at-once', '--seed', '7', ...SMALL, '--json']
  const [first, second] = await Promise.all([simulate(...args), simulate(...args, '--html', page)])
  expect(first.code).toBe(0)
  expect(second.out).toBe(first.out)
  const figures = Figures.parse(JSON.parse(first.out))
  expect(figures).toMatchObject({ scenario: 'everything-at-once', seed: 7, nodes: 3, campaigns: 5 })
  expect(figures.overbilledMicros).toBe(0)
  expect(figures.charges).toBeGreaterThan(0)

  const html = readFileSync(page, 'utf8')
  expect(html.match(/<svg/g)!.length).toBeGreaterThan(4)
  expect(html).toContain('--scenario everything-at-once --seed 7 --nodes 3')
  expect(figures.faults['messageLost']).toBeGreaterThan(0)
  expect(html).toContain(`message lost ${figures.faults['messageLost']!.toLocaleString('en')}`)
  expect(html).not.toContain('NaN')
  expect(html).not.toMatch(/<script|(?:src|href)=/)
}, 60_000)

test('many seeds over many processes come to one object, with the figures of each as it has them alone', async () => {
  const page = join(folder, 'seeds.html')
  const size = ['--scenario', 'pause', ...SMALL, '--json']
  const [many, alone] = await Promise.all([
    simulate(...size, '--seed', '3', '--seeds', '3', '--html', page),
    simulate(...size, '--seed', '4'),
  ])
  const all = z.object({ ...Figures.shape, runs: z.array(Figures) }).parse(JSON.parse(many.out))
  expect(all.runs.map(({ seed }) => seed)).toEqual([3, 4, 5])
  expect(all.runs[1]).toEqual(Figures.parse(JSON.parse(alone.out)))
  expect(all.charges).toBe(all.runs.reduce((sum, { charges }) => sum + charges, 0))
  const lost = ({ faults }: z.infer<typeof Figures>) => faults['messageLost']!
  expect(lost(all)).toBe(all.runs.reduce((sum, run) => sum + lost(run), 0))
  expect(all.givenAwayShare).toBe(Math.max(...all.runs.map(run => run.givenAwayShare)))
  expect(existsSync(page)).toBe(true)
}, 60_000)

test('the table marks what misses its goal, which fails where that is asked for', async () => {
  // One node for ten campaigns with hardly any traffic: nothing like what the goal asks for is delivered.
  const args = [
    '--scenario',
    'pause',
    '--nodes',
    '1',
    '--campaigns',
    '10',
    '--hours',
    '6',
    '--requests',
    '0.01',
  ]
  const [lenient, strict] = await Promise.all([simulate(...args), simulate(...args, '--strict')])
  expect(lenient.code).toBe(0)
  expect(lenient.out).toMatch(/delivered .* missed/)
  expect(strict.code).toBe(1)
}, 60_000)
