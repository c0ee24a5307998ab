/** A child of the benchmark: `echo BYTES` or `farthing CAMPAIGNS`. Tells its address, then what it is asked for. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { pino } from 'pino'
import { startServer } from '../src/http/server.ts'
import { newStatus } from '../src/http/status.ts'
import { marketRequests, openMarket } from './market.ts'

/** `usage` answers with the figures; `edit` sets how many campaigns a second are edited. */
export type ToServer = { readonly kind: 'usage' } | { readonly kind: 'edit'; readonly perSecond: number }
export interface Usage {
  /** Of all threads, since the start. */
  readonly cpuMicros: number
  readonly residentBytes: number
  readonly snapshots: number
}

const [kind, size] = process.argv.slice(2)
const { url, snapshots, edit } = kind === 'echo' ? echo(Number(size)) : await farthing(Number(size))

process.on('message', (message: ToServer) => {
  if (message.kind === 'edit') return edit(message.perSecond)
  const { user, system } = process.cpuUsage()
  process.send?.({
    cpuMicros: user + system,
    residentBytes: process.memoryUsage.rss(),
    snapshots: snapshots(),
  } satisfies Usage)
})
process.send?.({ url })

interface Served {
  readonly url: string
  snapshots(): number
  edit(perSecond: number): void
}

/** Reads and parses what comes, and answers the same text each time. */
function echo(bytes: number): Served {
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
  return { url: `http://127.0.0.1:${server.port}`, snapshots: () => 0, edit: () => {} }
}

async function farthing(campaigns: number): Promise<Served> {
  const market = await openMarket(campaigns, marketRequests(10_000))
  const { url } = startServer({
    host: '127.0.0.1',
    port: 0,
    ...market.deps,
    sample: market.sample,
    logger: pino({ base: null }, pino.destination(2)),
    control: new OpenAPIHono(),
    status: newStatus(),
  })
  return { url, snapshots: market.installed, edit: perSecond => market.edit(perSecond) }
}
