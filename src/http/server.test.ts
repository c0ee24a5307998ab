import { expect, test } from 'bun:test'
import { OpenAPIHono } from '@hono/zod-openapi'
import { pino } from 'pino'
import { plainCampaign } from '../../test/random-campaigns.ts'
import { MemoryLog } from '../adapters/memory/log.ts'
import { NOW, PARTITIONS, TestEdge } from './edge/test-edge.ts'
import { startServer } from './server.ts'
import { newStatus } from './status.ts'

const TEST_MS = 20_000
/** Longer than the second of silence after which the server closes: it looks every four seconds. */
const LONG_MS = 6500

test(
  'a connection is closed that idles, and not while it waits for a verification of the ledger',
  async () => {
    const { auction } = new TestEdge([plainCampaign(1)], new MemoryLog(PARTITIONS, { now: () => NOW }))
    const control = new OpenAPIHono()
    control.get('*', async context => {
      await Bun.sleep(LONG_MS)
      return context.json({ ok: true })
    })
    const server = startServer({
      ...auction,
      host: '127.0.0.1',
      port: 0,
      sample: () => {},
      control,
      status: newStatus(),
      logger: pino({ level: 'silent' }),
      idleSeconds: 1,
    })
    const ask = (path: string) => fetch(server.url + path).then(answer => answer.status)
    const answers = await Promise.allSettled([ask('/v1/ledger/verify'), ask('/v1/campaigns')])
    await server.stop()
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  },
  TEST_MS,
)
