import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readServeOptions } from '../../src/config.ts'
import type { ClockReading } from '../../src/core/steady-time.ts'
import { startEmbedded } from '../../src/wiring/embedded.ts'

export const COMMAND = join(import.meta.dir, '../../farthing')
const START_MS_MAX = 10_000
const STOP_MS_MAX = 10_000
export const ADMIN_KEY = 'test'
export const BROWSER =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36'
/** Fields that a test reads after it has checked the status; what is absent fails the expectation. */
// biome-ignore lint/suspicious/noExplicitAny: answers of a server under test, of any shape
export type Json = any

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Json
  readonly text: string
}

export interface Run {
  readonly code: number | null
  readonly output: string
}

/** `./farthing COMMAND`, to its end. */
export async function runFarthing(args: readonly string[], msMax = 20_000): Promise<Run> {
  const child = launch(args)
  let output = ''
  child.stdout!.on('data', chunk => {
    output += chunk
  })
  child.stderr!.on('data', chunk => {
    output += chunk
  })
  return { code: await ended(child, msMax), output }
}

/** A `farthing serve` of its own on a free port and in a temporary data folder. */
export class Installation {
  url = ''
  private child: ChildProcess | null = null
  private inside: { close(): Promise<void> } | null = null
  /** What the wall clock of the next start is off by. */
  clockOffsetMs = 0

  private constructor(
    private readonly flags: readonly string[],
    readonly data = mkdtempSync(join(tmpdir(), 'farthing-e2e-')),
  ) {}

  static start(...flags: string[]): Promise<Installation> {
    return Installation.started(new Installation(flags))
  }

  /** In a folder of the caller's. */
  static at(data: string, ...flags: string[]): Promise<Installation> {
    return Installation.started(new Installation(flags, data))
  }

  private static async started(installation: Installation): Promise<Installation> {
    try {
      await installation.restart()
    } catch (error) {
      await installation.remove()
      throw error
    }
    return installation
  }

  /** In this process, so that a test can give it its clocks. */
  static async inside(clocks: () => ClockReading, ...flags: string[]): Promise<Installation> {
    const installation = new Installation(flags)
    const options = readServeOptions(['--port', '0', '--data', installation.data, ...flags])
    const running = await startEmbedded(options, { adminKey: ADMIN_KEY, clockOffsetMs: 0 }, clocks)
    installation.inside = running
    installation.url = running.url
    return installation
  }

  get pid(): number {
    return this.child?.pid ?? 0
  }

  async restart(readyWithinMs = START_MS_MAX): Promise<void> {
    const child = launch(['serve', '--port', '0', '--data', this.data, ...this.flags], {
      FARTHING_CLOCK_OFFSET_MS: String(this.clockOffsetMs),
    })
    this.child = child
    const ready = Promise.withResolvers<string>()
    let output = ''
    const read = (chunk: Buffer) => {
      output += chunk
      const url = /Farthing serves at (http:\S+)/.exec(output)?.[1]
      if (url !== undefined) ready.resolve(url)
    }
    child.stdout!.on('data', read)
    child.stderr!.on('data', read)

    child.on('exit', code => ready.reject(new Error(`farthing serve ended with ${code}: ${output}`)))
    const timer = setTimeout(() => ready.reject(new Error(`not ready: ${output}`)), readyWithinMs)
    try {
      this.url = await ready.promise
    } finally {
      clearTimeout(timer)
    }
  }

  /** Its exit code. */
  async stop(endedWithinMs = STOP_MS_MAX): Promise<number | null> {
    return this.end('SIGTERM', endedWithinMs)
  }

  /** As by a power cut of the process: nothing of it runs on. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  async remove(): Promise<void> {
    await this.inside?.close()
    await this.end('SIGKILL')
    rmSync(this.data, { recursive: true, force: true })
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(path.startsWith('http') ? path : this.url + path, {
      method,
      redirect: 'manual',
      headers: { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    let parsed: Json = null
    if (response.headers.get('content-type')?.includes('json') && text !== '') parsed = JSON.parse(text)
    return { status: response.status, headers: response.headers, body: parsed, text }
  }

  /** The body of a call that must answer with `status`. */
  async must(status: number, method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await this.call(method, path, body)
    if (answer.status !== status) {
      throw new Error(`${method} ${path}: ${answer.status}, not ${status}: ${answer.text.slice(0, 500)}`)
    }
    return answer.body
  }

  /** What a browser at `address` asks for; without a key. */
  async browse(
    url: string,
    options: { method?: string; address?: string; agent?: string } = {},
  ): Promise<Response> {
    const here = new URL(url, this.url)
    return fetch(this.url + here.pathname + here.search, {
      method: options.method ?? 'GET',
      redirect: 'manual',
      headers: {
        'User-Agent': options.agent ?? BROWSER,
        'X-Forwarded-For': options.address ?? '81.2.69.142',
      },
    })
  }

  async charge(eventId: string): Promise<Json> {
    return (await this.call('GET', `/v1/charges/${encodeURIComponent(eventId)}`)).body
  }

  async chargeIn(eventId: string, state: string): Promise<Json> {
    return eventually(
      () => this.charge(eventId),
      charge => charge?.state === state,
    )
  }

  /** As `untouched`; if it is active, it has been seen to serve. */
  async campaign(bid: { model: 'cpc' | 'cpm'; amountMicros: number }, change: Json = {}): Promise<Scene> {
    const { status, ...scene } = await this.untouched(bid, change)
    if (status === 'active')
      await eventually(
        () => this.browse(`/serve?placement=${scene.placementId}&format=json`).then(r => r.status),
        s => s === 200,
      )
    return scene
  }

  /**
   * Advertiser with money, publisher, placement and a campaign that serves there only, of whose budget no impression
   * was chosen yet.
   */
  async untouched(
    bid: { model: 'cpc' | 'cpm'; amountMicros: number },
    change: Json = {},
  ): Promise<Scene & { readonly status: string }> {
    const advertiser = await this.must(201, 'POST', '/v1/advertisers', { name: 'Advertiser' })
    await this.must(201, 'POST', `/v1/advertisers/${advertiser.id}/deposits`, {
      amountMicros: DEPOSIT_MICROS,
    })
    const publisher = await this.must(201, 'POST', '/v1/publishers', { name: 'Publisher', revenueShare: 0.7 })
    const placement = await this.must(201, 'POST', '/v1/placements', {
      publisherId: publisher.id,
      name: 'Top',
      format: { w: 728, h: 90 },
    })
    const campaign = await this.must(
      201,
      'POST',
      '/v1/campaigns',
      campaignBody(advertiser.id, bid, { targeting: { placements: [placement.id] }, ...change }),
    )
    return {
      advertiserId: advertiser.id,
      publisherId: publisher.id,
      placementId: placement.id,
      campaignId: campaign.id,
      adId: campaign.ads[0].id,
      status: campaign.status,
    }
  }

  async serve(scene: Scene): Promise<Served> {
    // 204 for a moment is right: a lease may be used up before the next one is granted.
    const response = await eventually(
      () => this.browse(`/serve?placement=${scene.placementId}&format=json`),
      answer => answer.status === 200,
    )
    if (response.status !== 200) throw new Error(`/serve: ${response.status}`)
    return (await response.json()) as Served
  }

  private async end(signal: NodeJS.Signals, endedWithinMs = STOP_MS_MAX): Promise<number | null> {
    const child = this.child
    this.child = null
    if (child === null) return null
    if (child.exitCode !== null) return child.exitCode
    child.kill(signal)
    return ended(child, endedWithinMs)
  }
}

export const DEPOSIT_MICROS = 100_000_000

export interface Scene {
  readonly advertiserId: string
  readonly publisherId: string
  readonly placementId: string
  readonly campaignId: string
  readonly adId: string
}

export interface Served {
  readonly impressionId: string
  readonly campaignId: string
  readonly adId: string
  readonly adm: string
  readonly impressionUrl: string
  readonly clickUrl: string
}

export function campaignBody(
  advertiserId: string,
  bid: { model: 'cpc' | 'cpm'; amountMicros: number },
  change: Json = {},
): Json {
  return {
    advertiserId,
    name: 'Autumn',
    bid,
    ads: [
      {
        name: 'Leaderboard',
        landingUrl: 'https://example.com/a',
        creative: { kind: 'image', w: 728, h: 90, imageUrl: 'https://cdn.example.com/a.png' },
      },
    ],
    ...change,
  }
}

/** Asks until `enough`, for 5 seconds; then gives the last answer, for the expectation to show. */
export async function eventually<T>(
  ask: () => Promise<T>,
  enough: (value: T) => boolean,
  msMax = 5000,
): Promise<T> {
  const until = Date.now() + msMax
  for (;;) {
    const value = await ask()
    if (enough(value) || Date.now() > until) return value
    await Bun.sleep(40)
  }
}

function launch(args: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  return spawn(COMMAND, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FARTHING_ADMIN_KEY: ADMIN_KEY, ...environment },
  })
}

/** Its exit code, or null where it had to be killed. */
export async function ended(child: ChildProcess, msMax: number): Promise<number | null> {
  const exit = Promise.withResolvers<number | null>()
  child.once('exit', exit.resolve)
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const timer = setTimeout(() => child.kill('SIGKILL'), msMax)
  const code = await exit.promise
  clearTimeout(timer)
  return code
}
