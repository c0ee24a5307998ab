/** A child of the benchmark: `echo BYTES` or `farthing CAMPAIGNS`. Tells its address, then its CPU when asked. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { pino } from 'pino'
import { startServer } from '../src/http/server.ts'
import { newStatus } from '../src/http/status.ts'
import { capturedRequests } from '../test/captured-requests.ts'
import { openMarket } from './market.ts'

const [kind, size] = process.argv.slice(2)
const url = kind === 'echo' ? echo(Number(size)) : await farthing(Number(size))

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpuMicros: user + system })
})
process.send?.({ url })

/** Reads and parses what comes, and answers the same text each time. */
function echo(bytes: number): string {
  const answer = 'x'.repeat(bytes)
  const headers = { 'Content-Type': 'application/json' }
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async request => {
      JSON.parse(await request.text())
      return new Response(answer, { headers })
    },
  })
  return `http://127.0.0.1:${server.port}`
}

async function farthing(campaigns: number): Promise<string> {
  const { deps, serving } = await openMarket(campaigns, capturedRequests(10_000))
  setInterval(() => serving.drainChosen(() => {}), 50)
  setInterval(() => deps.requestCounts.take(), 1000)
  return startServer({
    host: '127.0.0.1',
    port: 0,
    ...deps,
    sample: () => {},
    logger: pino({ base: null }, pino.destination(2)),
    control: new OpenAPIHono(),
    status: { ...newStatus(), ready: true },
  }).url
}
