/** What an auction costs: in this process by CPU, and at a socket, each against an answer that decides nothing. */
import { bid } from '../src/http/edge/auction-handler.ts'
import { jsonDepthWithin, validateBidRequest } from '../src/openrtb/validate.ts'
import { capturedRequests } from '../test/captured-requests.ts'
import { post, sendAll } from './load.ts'
import { openMarket } from './market.ts'

export interface AuctionFigures {
  readonly campaigns: number
  readonly cpuMicros: number
  readonly floorMicros: number
  readonly servedShare: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly p999Micros: number
  readonly budgetCheckNs: number
  readonly meanAnswerBytes: number
}

export interface SocketFigures {
  readonly campaigns: number
  readonly cpuMicros: number
  readonly echoCpuMicros: number
  readonly perSecond: number
  readonly echoPerSecond: number
}

export async function benchAuctions(short: boolean): Promise<AuctionFigures[]> {
  const requests = capturedRequests(10_000)
  const texts = requests.map(request => JSON.stringify(request))
  const figures: AuctionFigures[] = []
  for (const campaigns of [100, 10_000, 100_000]) {
    const { deps, serving, columns } = await openMarket(campaigns, requests)
    const waits = new Float64Array(texts.length)
    let answers = 0
    let answerBytes = 0
    const round = () => {
      answers = 0
      answerBytes = 0
      for (let i = 0; i < texts.length; i++) {
        const start = Bun.nanoseconds()
        const answer = auction(deps, texts[i]!)
        waits[i] = Bun.nanoseconds() - start
        if (answer === null) continue
        answers++
        answerBytes += answer.length
      }
      serving.drainChosen(() => {})
      deps.requestCounts.take()
    }
    round()
    const mean = Math.round(answerBytes / Math.max(1, answers))
    const constant = 'x'.repeat(mean)
    let kept = 0
    const floor = () => {
      for (const text of texts) {
        JSON.parse(text)
        kept += new Response(constant).status
      }
    }
    floor()
    // The two take turns, so that a noisy neighbour meets both.
    const rounds = short ? 2 : 8
    let cpu = 0
    let floorCpu = 0
    const all: number[] = []
    for (let i = 0; i < rounds; i++) {
      cpu += cpuMicrosOf(round)
      floorCpu += cpuMicrosOf(floor)
      all.push(...waits)
    }
    if (kept === 0) throw new Error('the floor was not measured')
    all.sort((a, b) => a - b)
    const at = (share: number) => all[Math.floor((all.length - 1) * share)]! / 1000
    const each = rounds * texts.length
    figures.push({
      campaigns,
      cpuMicros: cpu / each,
      floorMicros: floorCpu / each,
      servedShare: answers / texts.length,
      p50Micros: at(0.5),
      p99Micros: at(0.99),
      p999Micros: at(0.999),
      budgetCheckNs: budgetCheckNs(columns.allowanceThousandths, campaigns),
      meanAnswerBytes: mean,
    })
  }
  return figures
}

/** All that the handler does between the body's text and the answer's. */
function auction(deps: Awaited<ReturnType<typeof openMarket>>['deps'], text: string): string | null {
  if (!jsonDepthWithin(text)) throw new Error('a captured request is too deep')
  const checked = validateBidRequest(JSON.parse(text))
  if (!checked.ok) throw new Error('a captured request is not valid')
  const answer = bid(deps, checked.request)
  // As the floor does, so that the object is on both sides.
  new Response(answer)
  return answer
}

function cpuMicrosOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** The compare of serving/candidates.ts, at slots in no order. */
function budgetCheckNs(allowance: Float64Array, campaigns: number): number {
  const checks = 5_000_000
  let passed = 0
  let slot = 1
  const start = Bun.nanoseconds()
  for (let i = 0; i < checks; i++) {
    slot = (Math.imul(slot, 1_664_525) + 1_013_904_223) >>> 0
    if (allowance[slot % campaigns]! >= 1000) passed++
  }
  const ns = (Bun.nanoseconds() - start) / checks
  if (passed !== checks) throw new Error('a campaign had no allowance')
  return ns
}

export async function benchSockets(short: boolean, meanAnswerBytes: number): Promise<SocketFigures[]> {
  const messages = capturedRequests(10_000).map(request => post('/openrtb2/auction', JSON.stringify(request)))
  const echo = await measureServer(['echo', String(meanAnswerBytes)], messages, short)
  const figures: SocketFigures[] = []
  for (const campaigns of short ? [100, 10_000] : [100, 10_000, 100_000]) {
    const real = await measureServer(['farthing', String(campaigns)], messages, short)
    figures.push({ campaigns, ...real, echoCpuMicros: echo.cpuMicros, echoPerSecond: echo.perSecond })
  }
  return figures
}

async function measureServer(args: readonly string[], messages: readonly Uint8Array[], short: boolean) {
  let told = Promise.withResolvers<{ url?: string; cpuMicros?: number }>()
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/socket-server.ts`, ...args], {
    stdout: 'ignore',
    stderr: 'inherit',
    ipc: message => told.resolve(message),
    onExit: () => told.reject(new Error('the server of the benchmark ended')),
  })
  try {
    const { url } = await told.promise
    const cpu = async () => {
      told = Promise.withResolvers()
      child.send('cpu')
      return (await told.promise).cpuMicros!
    }
    const run = (count: number) =>
      sendAll({
        url: url!,
        connections: 32,
        limitMs: short ? 4000 : 20_000,
        count,
        message: i => messages[i % messages.length]!,
      })
    await run(10_000)
    const before = await cpu()
    const load = await run(short ? 20_000 : 100_000)
    const used = (await cpu()) - before
    for (const status of load.statuses.keys()) {
      if (status !== 200 && status !== 204) throw new Error(`the server answered ${status} to an auction`)
    }
    return { cpuMicros: used / load.answered, perSecond: load.answered / load.seconds }
  } finally {
    told.promise.catch(() => {})
    child.kill()
    await child.exited
  }
}
