/** Clicks through a real `./farthing serve`: redirects that are on disk, and how long billing takes after them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { capturedRequests } from '../test/captured-requests.ts'
import { post, sendAll } from './load.ts'

const ADMIN_KEY = 'bench-admin-key-0123456789abcdef'
const CONNECTIONS = 256
const AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36'
const CAMPAIGNS = 16

export interface ClickFigures {
  readonly clicks: number
  readonly redirectsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** From the last redirect until billing has charged all; null where it had not within the bound. */
  readonly drainSeconds: number | null
  readonly charged: number
  /** Clicks charged a second, from the first click to the end of the drain. */
  readonly billedPerSecond: number
  readonly serverCpuMicros: number
}

export async function benchClicks(short: boolean): Promise<ClickFigures> {
  const data = mkdtempSync(join(tmpdir(), 'farthing-bench-clicks-'))
  const child = Bun.spawn(
    [process.execPath, `${import.meta.dir}/../src/main.ts`, 'serve', '--port', '0', '--data', data],
    { env: { ...process.env, FARTHING_ADMIN_KEY: ADMIN_KEY }, stdout: 'pipe', stderr: 'inherit' },
  )
  try {
    return await measure(await addressOf(child.stdout), short, child.pid)
  } finally {
    child.kill('SIGTERM')
    await Promise.race([child.exited, Bun.sleep(8000).then(() => child.kill('SIGKILL'))])
    rmSync(data, { recursive: true, force: true })
  }
}

async function addressOf(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const reader = stdout.getReader()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) throw new Error('farthing serve ended at its start')
    text += new TextDecoder().decode(value)
    const url = /serves at (\S+)/.exec(text)?.[1]
    if (url !== undefined) return url
  }
}

async function measure(url: string, short: boolean, pid: number): Promise<ClickFigures> {
  await seed(url)
  const tokens = await auctions(url, short ? 20_000 : 100_000)
  const message = (path: string) => (i: number) => {
    const peer = `X-Forwarded-For: 84.${20 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
    const head = `Host: 127.0.0.1\r\nUser-Agent: ${AGENT}\r\n${peer}`
    return Buffer.from(`GET ${path}?t=${tokens[i]} HTTP/1.1\r\n${head}\r\n\r\n`)
  }
  const common = { url, connections: CONNECTIONS, limitMs: short ? 6000 : 30_000, count: tokens.length }
  await sendAll({ ...common, message: message('/i') })
  await settled(url, tokens.length, 10_000)
  const chargedBefore = (await live(url)).charged
  const cpuBefore = await cpuMicros(pid)
  const startedAt = performance.now()
  const load = await sendAll({ ...common, message: message('/click') })
  const redirects = load.statuses.get(302) ?? 0
  if (redirects !== load.answered) throw new Error(`answers were ${JSON.stringify([...load.statuses])}`)
  const endedAt = performance.now()
  const boundMs = short ? 10_000 : 60_000
  let charged = 0
  let changedAt = endedAt
  for (;;) {
    const now = performance.now()
    const found = (await live(url)).charged - chargedBefore
    if (found > charged) changedAt = now
    charged = found
    // Some clicks may be refused: it is over when nothing moves.
    if (charged >= redirects || now - endedAt > boundMs || now - changedAt > 3000) break
    await Bun.sleep(20)
  }
  return {
    clicks: redirects,
    redirectsPerSecond: redirects / load.seconds,
    p50Ms: load.p50Ms,
    p99Ms: load.p99Ms,
    drainSeconds: charged >= redirects ? (changedAt - endedAt) / 1000 : null,
    charged,
    billedPerSecond: (charged * 1000) / (changedAt - startedAt),
    serverCpuMicros: ((await cpuMicros(pid)) - cpuBefore) / redirects,
  }
}

async function seed(url: string): Promise<void> {
  const advertiser = (await control(url, '/v1/advertisers', { name: 'Bench' })) as { id: string }
  await control(url, `/v1/advertisers/${advertiser.id}/deposits`, { amountMicros: 1_000_000_000_000 })
  const sizes = [
    [300, 250],
    [728, 90],
    [160, 600],
    [336, 280],
  ] as const
  for (let i = 0; i < CAMPAIGNS; i++) {
    await control(url, '/v1/campaigns', {
      advertiserId: advertiser.id,
      name: `Campaign ${i}`,
      bid: { model: 'cpc', amountMicros: 1_000_000 + i },
      pacing: 'asap',
      budget: {},
      ads: sizes.map(([w, h]) => ({
        name: `${w}x${h}`,
        landingUrl: 'https://example.com/a',
        creative: { kind: 'image', w, h, imageUrl: 'https://example.com/a.png' },
      })),
    })
  }
  await Bun.sleep(1500)
}

async function control(url: string, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (response.status !== 201) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return response.json()
}

/** Tokens of ads as auctions gave them. */
async function auctions(url: string, wanted: number): Promise<string[]> {
  const messages = capturedRequests(10_000).map(request => post('/openrtb2/auction', JSON.stringify(request)))
  const tokens: string[] = []
  const until = performance.now() + 20_000 + wanted / 4
  while (tokens.length < wanted && performance.now() < until) {
    await sendAll({
      url,
      connections: 32,
      limitMs: 4000,
      count: wanted - tokens.length,
      message: i => messages[i % messages.length]!,
      onAnswer: ({ status, body }) => {
        const token = status === 200 ? /\/click\?t=([\w-]+)"/.exec(body)?.[1] : undefined
        if (token !== undefined) tokens.push(token)
      },
    })
  }
  if (tokens.length < wanted / 2) throw new Error(`auctions gave ${tokens.length} tokens of ${wanted}`)
  return tokens
}

async function live(url: string): Promise<{ charged: number; decided: number }> {
  return (await (await fetch(`${url}/live.json`)).json()) as { charged: number; decided: number }
}

async function settled(url: string, least: number, boundMs: number): Promise<void> {
  const until = performance.now() + boundMs
  while ((await live(url)).decided < least && performance.now() < until) await Bun.sleep(50)
}

/** All threads, of Linux's accounts: hundredths of a second. */
async function cpuMicros(pid: number): Promise<number> {
  const fields = (await Bun.file(`/proc/${pid}/stat`).text()).split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}
