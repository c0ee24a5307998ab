/** What an auction takes at the socket, against an echo of the same bodies; and how long it takes at half the load. */
import { MARKET_SIZES } from './auctions.ts'
import { post, sendAll } from './load.ts'
import { marketRequests } from './market.ts'
import { type PacedFigures, sendPaced } from './paced-load.ts'
import type { ToServer, Usage } from './socket-server.ts'

export interface SocketFigures {
  readonly campaigns: number
  readonly cpuMicros: number
  readonly echoCpuMicros: number
  /** The same with a load generator that never sleeps, so that neither server pays for waking it. */
  readonly awake: { readonly cpuMicros: number; readonly echoCpuMicros: number }
  readonly perSecond: number
  readonly echoPerSecond: number
  /** Of an answer, over all requests: none counts as none. The echo answers as much. */
  readonly meanAnswerBytes: number
  readonly residentBytes: number
}

/** At the largest market. */
export interface HalfLoadFigures {
  readonly calm: PacedFigures
  readonly edited: PacedFigures
  readonly editsPerSecond: number
  /** Snapshots of the catalog put in place while it was edited. */
  readonly snapshots: number
}

const CONNECTIONS = 32
/** The compiler is at work for some 60,000 requests. An echo is ready sooner, and has as many. */
const WARM_UP_REQUESTS = 60_000
const EDITS_PER_SECOND = 20
const HALF_LOAD_ROUNDS = 5

export async function benchSockets(
  short: boolean,
): Promise<{ sockets: SocketFigures[]; halfLoad: HalfLoadFigures }> {
  const messages = marketRequests(10_000).map(request => post('/openrtb2/auction', JSON.stringify(request)))
  const sockets: SocketFigures[] = []
  let halfLoad: HalfLoadFigures | null = null
  for (const campaigns of MARKET_SIZES) {
    await using real = await startServer(['farthing', String(campaigns)], messages)
    const { answerBytes, answered } = await real.run(WARM_UP_REQUESTS)
    const meanAnswerBytes = Math.round(answerBytes / answered)
    await using echo = await startServer(['echo', String(meanAnswerBytes)], messages)
    await echo.run(WARM_UP_REQUESTS)
    // The two take turns, so that a noisy neighbour meets both.
    const totals = { real: newTotals(), echo: newTotals() }
    const awake = { real: newTotals(), echo: newTotals() }
    for (let round = 0; round < (short ? 4 : 12); round++) {
      await real.measure(totals.real, 15_000)
      await echo.measure(totals.echo, 15_000)
      await real.measure(awake.real, 15_000, true)
      await echo.measure(awake.echo, 15_000, true)
    }
    const { residentBytes } = await real.usage()
    const perSecond = totals.real.answered / totals.real.seconds
    sockets.push({
      campaigns,
      cpuMicros: cpuMicrosEach(totals.real),
      echoCpuMicros: cpuMicrosEach(totals.echo),
      awake: { cpuMicros: cpuMicrosEach(awake.real), echoCpuMicros: cpuMicrosEach(awake.echo) },
      perSecond,
      echoPerSecond: totals.echo.answered / totals.echo.seconds,
      meanAnswerBytes,
      residentBytes,
    })
    if (campaigns === MARKET_SIZES.at(-1)) {
      halfLoad = await atHalfLoad(real, { perSecond: perSecond / 2, short })
    }
  }
  return { sockets, halfLoad: halfLoad! }
}

async function atHalfLoad(
  server: Server,
  load: { readonly perSecond: number; readonly short: boolean },
): Promise<HalfLoadFigures> {
  const round = { perSecond: load.perSecond, seconds: load.short ? 1.5 : 5 }
  // The first deltas of the catalog are news to the compiler, too.
  server.edit(EDITS_PER_SECOND)
  await server.run(WARM_UP_REQUESTS)
  const calm: PacedFigures[] = []
  const edited: PacedFigures[] = []
  let snapshots = 0
  for (let i = 0; i < HALF_LOAD_ROUNDS; i++) {
    server.edit(0)
    calm.push(await server.pace(round))
    server.edit(EDITS_PER_SECOND)
    const before = await server.usage()
    edited.push(await server.pace(round))
    snapshots += (await server.usage()).snapshots - before.snapshots
  }
  server.edit(0)
  // Edits that never reach the edge would measure nothing.
  if (snapshots < HALF_LOAD_ROUNDS * round.seconds)
    throw new Error(`${snapshots} snapshots came of the edits`)
  return { calm: middle(calm), edited: middle(edited), editsPerSecond: EDITS_PER_SECOND, snapshots }
}

/** The round of the middle p99: in another a neighbour may have had the core that the server waited for. */
function middle(rounds: PacedFigures[]): PacedFigures {
  return rounds.sort((a, b) => a.p99Ms - b.p99Ms)[rounds.length >> 1]!
}

interface Totals {
  cpuMicros: number
  answered: number
  seconds: number
}
const newTotals = (): Totals => ({ cpuMicros: 0, answered: 0, seconds: 0 })
const cpuMicrosEach = ({ cpuMicros, answered }: Totals) => cpuMicros / answered

type Server = Awaited<ReturnType<typeof startServer>>

async function startServer(args: readonly string[], messages: readonly Uint8Array[]) {
  let told = Promise.withResolvers<unknown>()
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/socket-server.ts`, ...args], {
    stdout: 'ignore',
    stderr: 'inherit',
    ipc: message => told.resolve(message),
    onExit: () => told.reject(new Error('the server of the benchmark ended')),
  })
  told.promise.catch(() => {})
  const { url } = (await told.promise) as { url: string }
  const tell = (message: ToServer) => child.send(message)
  const message = (i: number) => messages[i % messages.length]!

  async function usage(): Promise<Usage> {
    told = Promise.withResolvers()
    tell({ kind: 'usage' })
    return (await told.promise) as Usage
  }

  async function run(count: number, awake = false) {
    let answerBytes = 0
    const load = await sendAll({
      url,
      connections: CONNECTIONS,
      limitMs: 30_000,
      count,
      awake,
      message,
      onAnswer: ({ body }) => {
        answerBytes += body.length
      },
    })
    for (const status of load.statuses.keys()) {
      if (status !== 200 && status !== 204) throw new Error(`the server answered ${status} to an auction`)
    }
    return { ...load, answerBytes }
  }

  return {
    run,
    usage,
    edit: (perSecond: number) => tell({ kind: 'edit', perSecond }),
    pace: (load: { readonly perSecond: number; readonly seconds: number }) =>
      sendPaced({ url, message, ...load }),
    async measure(totals: Totals, count: number, awake = false): Promise<void> {
      const before = await usage()
      const { answered, seconds } = await run(count, awake)
      totals.cpuMicros += (await usage()).cpuMicros - before.cpuMicros
      totals.answered += answered
      totals.seconds += seconds
    },
    async [Symbol.asyncDispose]() {
      told.promise.catch(() => {})
      child.kill()
      await child.exited
    },
  }
}
