import { afterEach, expect, test } from 'bun:test'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { COMMAND, ended, eventually, runFarthing } from './installation.ts'

const MONEY_MOVES_MS_MAX = 10_000
const STOP_MS_MAX = 10_000
const TEST_MS = 60_000

/** A demonstration on a free port, its temporary files in a folder of its own. */
class Demo {
  output = ''
  private readonly child: ChildProcess

  constructor(temporary: string, ...flags: string[]) {
    const { FARTHING_ADMIN_KEY: _, ...environment } = process.env
    this.child = spawn(COMMAND, ['demo', '--port', '0', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment, TMPDIR: temporary },
    })
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', chunk => {
        this.output += chunk
      })
    }
  }

  /** What each line so far says was charged. */
  get charged(): number[] {
    return [...this.output.matchAll(/^\d+s: .* charged (\d+) /gm)].map(match => Number(match[1]))
  }

  address(what: string): string {
    return new RegExp(`${what} +(\\S+)`).exec(this.output)?.[1] ?? ''
  }

  async moneyMoves(): Promise<void> {
    await eventually(
      async () => this.charged,
      charged => charged.length > 2 && charged.at(-1)! > charged[0]!,
      MONEY_MOVES_MS_MAX,
    )
    expect(this.charged.length, this.output).toBeGreaterThan(2)
    expect(this.charged.at(-1)!).toBeGreaterThan(this.charged[0]!)
  }

  end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal)
    return ended(this.child, STOP_MS_MAX)
  }
}

let folder = ''
let running: Demo | null = null
function start(...flags: string[]): Demo {
  folder ||= mkdtempSync(join(tmpdir(), 'farthing-demo-test-'))
  running = new Demo(folder, ...flags)
  return running
}
afterEach(async () => {
  await running?.end('SIGKILL')
  running = null
  rmSync(folder, { recursive: true, force: true })
  folder = ''
})

test(
  'within ten seconds money moves; Ctrl-C ends it with 0, and nothing is left',
  async () => {
    const demo = start()
    await demo.moneyMoves()
    const page = new URL(demo.address('Look at it'))
    const publisher = demo.address('Ads on a page')
    expect(new URLSearchParams(page.hash.slice(1)).get('key')).toBe(demo.address('Admin key'))
    expect((await fetch(page)).headers.get('content-type')).toContain('text/html')
    expect(await (await fetch(publisher)).text()).toContain(`src="${page.origin}/tag.js"`)
    expect(readdirSync(folder)).toHaveLength(1)

    expect(await demo.end('SIGINT')).toBe(0)
    expect(readdirSync(folder)).toEqual([])
    for (const address of [page.href, publisher]) await expect(fetch(address)).rejects.toThrow()
  },
  TEST_MS,
)

test(
  'what anybody may see has no account in it; campaigns need a key',
  async () => {
    const demo = start()
    await demo.moneyMoves()
    const { origin } = new URL(demo.address('Look at it'))
    const text = await (await fetch(`${origin}/live.json?after=0`)).text()
    const live = JSON.parse(text)
    expect(live.seconds.length).toBeGreaterThan(0)
    expect(live.seconds.at(-1).charged).toBeGreaterThan(0)
    expect(live.counters.bids).toBeGreaterThan(0)
    expect(text).not.toMatch(/(?:cmp|adv|pub|plc|ad|key)_|Harbour|Lumen|icros|fk_/)
    expect((await fetch(`${origin}/v1/campaigns`)).status).toBe(401)
  },
  TEST_MS,
)

test(
  'a second start on the same folder goes on with its books, and they verify',
  async () => {
    folder = mkdtempSync(join(tmpdir(), 'farthing-demo-test-'))
    const data = join(folder, 'data')
    const first = start('--data', data)
    await first.moneyMoves()
    expect(await first.end('SIGTERM')).toBe(0)
    const second = start('--data', data)
    await second.moneyMoves()
    expect(second.address('Admin key')).toBe(first.address('Admin key'))
    expect(await second.end('SIGTERM')).toBe(0)
    expect(second.output).toContain(`./farthing verify --data ${data}`)
    const verified = await runFarthing(['verify', '--data', data])
    expect(verified).toMatchObject({ code: 0 })
  },
  TEST_MS,
)
