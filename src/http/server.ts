import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Logger } from 'pino'
import type { FullRequest } from '../serving/full-evaluation.ts'
import type { Serving } from '../serving/serve.ts'
import type { ImpressionIds } from '../tracking/impression-ids.ts'
import { newAnswers } from './edge/ad-forms.ts'
import { type AuctionDependencies, auctionHandler } from './edge/auction-handler.ts'
import type { EdgeDependencies } from './edge/dependencies.ts'
import { handleIngest, INGEST_BYTES_MAX } from './edge/ingest-handler.ts'
import type { RequestCounts } from './edge/request-counts.ts'
import { Sampler } from './edge/sampler.ts'
import { handleServe, tagScript } from './edge/serve-handler.ts'
import { handleClick, handleImpression } from './edge/tracking-handler.ts'
import { livePage } from './live-page.ts'
import { LiveSeconds } from './live-seconds.ts'
import { Metrics } from './metrics.ts'
import { problemResponse } from './problem.ts'
import type { Status } from './status.ts'

export interface ServerOptions {
  readonly host: string
  readonly port: number
  readonly edge: EdgeDependencies
  readonly serving: Serving
  readonly ids: ImpressionIds
  readonly requestCounts: RequestCounts
  /** Takes a request that is to be explained. */
  readonly sample: (request: FullRequest) => void
  readonly control: OpenAPIHono
  readonly status: Status
  readonly logger: Logger
  /** A connection that says nothing for so long is closed; IDLE_SECONDS where there is none. */
  readonly idleSeconds?: number
}

export interface RunningServer {
  readonly url: string
  /** Takes no more connections, and ends when those that are open are answered. */
  stop(): Promise<void>
}

/** A connection is closed on which nothing is said for so long, by either side. */
const IDLE_SECONDS = 30
/** Handlers refuse what is over their own limits; a body beyond this is cut off before it reaches one. */
const BODY_BYTES_MAX = 64 << 20

/** One port for everything. Paths of the hot way are told apart by hand; the control API has a router. */
export function startServer(options: ServerOptions): RunningServer {
  const { edge, control, status } = options
  const auction: AuctionDependencies = {
    ...options,
    sampler: new Sampler(options.sample),
    answers: newAnswers(edge),
  }
  const handleAuction = auctionHandler(auction)
  const metrics = new Metrics(edge.counters, status)
  const live = new LiveSeconds(edge.counters, status)
  /** What is the same for all who ask. */
  function read(path: PlainPath, second: ReturnType<typeof secondIn>): Response | Promise<Response> {
    switch (path) {
      case '/tag.js':
        return new Response(tagScript(edge.publicUrl), {
          headers: { 'Content-Type': 'text/javascript', ...CORS },
        })
      case '/livez':
        return Response.json({ status: 'live' })
      case '/readyz': {
        const ready = status.ready && status.recording
        return Response.json(
          { status: ready ? 'ready' : 'notReady', problem: status.problem },
          ready ? {} : { status: 503, headers: { 'Retry-After': '1' } },
        )
      }
      case '/metrics':
        return metrics
          .text()
          .then(text => new Response(text, { headers: { 'Content-Type': metrics.contentType } }))
      case '/':
        return livePage()
      case '/live.json':
        return Response.json(live.figures(second), { headers: { 'Cache-Control': 'no-store' } })
    }
  }
  const idleSeconds = options.idleSeconds ?? IDLE_SECONDS
  /** The answer may take as long as it does; behind it the connection idles as others do. */
  async function unhurried(
    self: Bun.Server<undefined>,
    request: Request,
    answer: Response | Promise<Response>,
  ): Promise<Response> {
    self.timeout(request, 0)
    try {
      return await answer
    } finally {
      self.timeout(request, idleSeconds)
    }
  }
  const server = listening(options, {
    hostname: options.host,
    port: options.port,
    idleTimeout: idleSeconds,
    maxRequestBodySize: BODY_BYTES_MAX,
    // Most of what comes. The server itself tells this path: asking the request for its URL took 0.7 us.
    routes: { '/openrtb2/auction': { POST: handleAuction } },
    fetch(request, self) {
      const { url } = request
      const from = pathIn(url)
      if (from < 0) return problemResponse(400, 'The Host of the request is none.')
      const query = url.indexOf('?', from)
      const path = query < 0 ? url.slice(from) : url.slice(from, query)
      const { method } = request
      if (!isRead(method) && Number(request.headers.get('content-length') ?? 0) > INGEST_BYTES_MAX) {
        return problemResponse(413, `A body may have ${INGEST_BYTES_MAX} bytes.`)
      }
      switch (path) {
        case '/openrtb2/auction':
          return notAllowed('POST')
        case '/i':
          return isRead(method)
            ? handleImpression(edge, { request, peer: peerOf(self, request) })
            : notAllowed('GET, HEAD')
        case '/click':
          return isRead(method)
            ? handleClick(edge, { request, peer: peerOf(self, request) })
            : notAllowed('GET, HEAD')
        case '/events/click':
          return method === 'POST' ? handleIngest(edge, request, 'click') : notAllowed('POST')
        case '/events/impression':
          return method === 'POST' ? handleIngest(edge, request, 'impression') : notAllowed('POST')
        case '/serve':
          return isRead(method) || method === 'OPTIONS'
            ? handleServe(auction, { request, peer: peerOf(self, request) })
            : notAllowed('GET')
        case '/tag.js':
        case '/livez':
        case '/readyz':
        case '/metrics':
        case '/':
        case '/live.json':
          return isRead(method) ? read(path, secondIn(url, query)) : notAllowed('GET, HEAD')
        case '/v1/ledger/verify':
        case '/v1/ledger/entries':
        case '/v1/reports':
        case '/aggregates':
        case '/aggregates/realtime':
          // They go through the whole ledger, or 3 us a row of the span, one after the other: of five million entries, or
          // ten million rows, the answer takes longer than a connection may idle.
          return unhurried(self, request, control.fetch(withHost(request)))
        default:
          return control.fetch(withHost(request))
      }
    },
    error(error) {
      options.logger.error({ err: error }, 'a request failed')
      return problemResponse(500, 'A fault of ours. It is in the log.')
    },
  })
  return {
    url: addressOf(options.host, server.port ?? options.port),
    stop: async () => {
      live.stop()
      await Promise.race([server.stop(), Bun.sleep(3000)])
      await server.stop(true)
    },
  }
}

/** As Bun.serve; a port or address that cannot be had is said with what to do. */
function listening(
  { host, port }: ServerOptions,
  serving: Bun.Serve.Options<undefined, '/openrtb2/auction'>,
): Bun.Server<undefined> {
  try {
    return Bun.serve(serving)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'EADDRINUSE') {
      throw new Error(`Port ${port} of ${host} is in use. Give another with --port; 0 takes a free one.`, {
        cause,
      })
    }
    if (code === 'EACCES')
      throw new Error(`Port ${port} is not for this user: give one from 1024 on.`, { cause })
    throw new Error(
      `${host}:${port} cannot be listened on (${String(code ?? cause)}). See --host and --port.`,
      { cause },
    )
  }
}

const WILDCARDS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Where a server that listens on `host` is reached from this machine: all addresses are none that a link can lead to. */
export function addressOf(host: string, port: number): string {
  const name = WILDCARDS[host] ?? host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

type PlainPath = '/tag.js' | '/livez' | '/readyz' | '/metrics' | '/' | '/live.json'

const CORS = { 'Access-Control-Allow-Origin': '*' }

/** `?after=N`: the page has the seconds up to that one. Without it, it wants none. */
function secondIn(url: string, query: number): number | null {
  const after = query < 0 ? null : new URLSearchParams(url.slice(query)).get('after')
  return after === null ? null : Math.max(0, Math.trunc(Number(after)) || 0)
}

/** Of the URL that was looked at last: those of one server have few. */
let knownOrigin = ''

/**
 * Where the path of a URL begins. A request of HTTP/1.0 may leave its Host out, and has a path alone. -1 where the Host is
 * none (RFC 9112 section 3.2): what parses the URL would throw.
 */
function pathIn(url: string): number {
  if (url.startsWith('/')) return 0
  const from = url.indexOf('/', 8)
  const origin = url.slice(0, from)
  if (origin !== knownOrigin) {
    if (!URL.canParse(origin)) return -1
    knownOrigin = origin
  }
  return from
}

/** The router reads a whole URL. */
function withHost(request: Request): Request {
  return request.url.startsWith('/') ? new Request(`http://localhost${request.url}`, request) : request
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

function peerOf(
  server: { requestIP(request: Request): { address: string } | null },
  request: Request,
): string {
  return server.requestIP(request)?.address ?? ''
}

function notAllowed(allowed: string): Response {
  return problemResponse(405, `This path takes ${allowed}.`, [], { Allow: allowed })
}
