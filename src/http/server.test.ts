import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { OpenAPIHono } from '@hono/zod-openapi'
import { pino } from 'pino'
import { plainCampaign } from '../../test/random-campaigns.ts'
import { MemoryLog } from '../adapters/memory/log.ts'
import { NOW, PARTITIONS, TestEdge } from './edge/test-edge.ts'
import { type RunningServer, startServer } from './server.ts'
import { newStatus } from './status.ts'

const TEST_MS = 20_000
/** Longer than the second of silence after which the server closes: it looks every four seconds. */
const LONG_MS = 6500
/** Of the second of silence, on a busy machine. */
const IDLE_MS_MAX = 15_000
const TAKE_LONG = [
  '/v1/ledger/verify',
  '/v1/ledger/entries?account=cash',
  '/v1/reports?groupBy=campaign',
  '/aggregates?ad_id=ad_1',
  '/aggregates/realtime',
]

function started(control: OpenAPIHono, idleSeconds?: number) {
  const { auction } = new TestEdge([plainCampaign(1)], new MemoryLog(PARTITIONS, { now: () => NOW }))
  return startServer({
    ...auction,
    host: '127.0.0.1',
    port: 0,
    sample: () => {},
    control,
    status: { ...newStatus(), ready: true },
    logger: pino({ level: 'silent' }),
    ...(idleSeconds === undefined ? {} : { idleSeconds }),
  })
}

/** The status of the answer to a request as it stands, and its last line. */
function ask(url: string, request: string): Promise<[number, string]> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(Number(port), hostname, () => socket.write(request))
    socket.on('data', data => {
      answer += data
    })
    socket.on('error', reject)
    socket.on('close', () => resolve([Number(answer.slice(9, 12)), answer.split('\r\n').at(-1)!]))
  })
}

describe('a request', () => {
  const control = new OpenAPIHono()
  control.get('/v1/echo', context => context.text(new URL(context.req.url).searchParams.get('a') ?? ''))
  let server: RunningServer
  beforeEach(() => {
    server = started(control)
  })
  afterEach(() => server.stop())

  test.each(['/livez', '/serve?placement=plc_zz', '/v1/echo?a=b'])(
    'of a Host that is none is malformed, and no fault of ours: %s',
    async path => {
      for (const host of ['[', 'x:99999', '%zz']) {
        const [status] = await ask(
          server.url,
          `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
        )
        expect(status).toBe(400)
      }
    },
  )

  test.each([
    ['/livez', 200],
    ['/serve?placement=plc_zz', 404],
    ['/v1/echo?a=b', 200],
  ])('of HTTP/1.0, as some health checks send, needs no Host: %s', async (path, expected) => {
    const [status, body] = await ask(server.url, `GET ${path} HTTP/1.0\r\n\r\n`)
    expect(status).toBe(expected)
    if (path.startsWith('/v1')) expect(body).toBe('b')
  })
})

test(
  'a connection is closed that idles behind an answer that could take its time',
  async () => {
    const server = started(new OpenAPIHono(), 1)
    const closed = (path: string) => ask(server.url, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    const paths = ['/livez', ...TAKE_LONG]
    const answers = await Promise.race([Promise.all(paths.map(closed)), Bun.sleep(IDLE_MS_MAX)])
    await server.stop()
    expect(answers?.map(([status]) => status)).toEqual([200, ...TAKE_LONG.map(() => 404)])
  },
  TEST_MS,
)

test(
  'a connection is closed that idles, and not while it waits for a verification of the ledger or a report',
  async () => {
    const control = new OpenAPIHono()
    control.get('*', async context => {
      await Bun.sleep(LONG_MS)
      return context.json({ ok: true })
    })
    const server = started(control, 1)
    const statusOf = (path: string) => fetch(server.url + path).then(answer => answer.status)
    const answers = await Promise.allSettled([...TAKE_LONG.map(statusOf), statusOf('/v1/campaigns')])
    await server.stop()
    const ended: readonly string[] = answers.map(({ status }) => status)
    expect(ended).toEqual([...TAKE_LONG.map(() => 'fulfilled'), 'rejected'])
  },
  TEST_MS,
)
