/**
 * A load generator of as little work as can be: keep-alive sockets, each with one request under way. It shares the
 * cores with what it measures, so answers are told apart by bytes and nothing is allocated for one.
 */

export interface Answer {
  readonly status: number
  readonly body: string
}

export interface LoadFigures {
  readonly answered: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly statuses: ReadonlyMap<number, number>
  /** Of the generator itself. */
  readonly cpuMicros: number
}

interface Line {
  /** An answer that came in parts, so far; null between answers. */
  pending: Buffer | null
  sentAt: number
  index: number
}

const HEAD_END = Buffer.from('\r\n\r\n')
const CONTENT_LENGTH = Buffer.from('Content-Length: ')
const DIGIT_ZERO = 48

/**
 * Sends each message once, in order, over `connections` sockets; ends at `limitMs` at the latest. As fast as answers
 * come, or `perSecond`: then a wait begins when the message was due, so that a stall counts for all that it kept back.
 */
export async function sendAll(options: {
  readonly url: string
  readonly connections: number
  readonly limitMs: number
  readonly count: number
  /** May give the same buffer each time: it is sent before the next is asked for. */
  readonly message: (index: number) => Uint8Array
  readonly perSecond?: number
  /** Takes a core, so that no answer has to wake this process: the kernel has the server pay for that. */
  readonly awake?: boolean
  readonly onAnswer?: (answer: Answer, index: number) => void
}): Promise<LoadFigures> {
  const { hostname, port } = new URL(options.url)
  const { count, limitMs, perSecond, awake, message, onAnswer } = options
  const waitsMs = new Float64Array(count)
  const byStatus = new Uint32Array(1000)
  let sendingAt = performance.now()
  let next = 0
  let answered = 0
  let open = 0
  const finished = Promise.withResolvers<void>()
  let done = false
  const sockets: Bun.Socket<Line>[] = []
  const idle: Bun.Socket<Line>[] = []

  function send(socket: Bun.Socket<Line>, now: number): void {
    if (next >= count || now - sendingAt > limitMs) {
      socket.end()
      return
    }
    const dueAt = perSecond === undefined ? now : sendingAt + (next * 1000) / perSecond
    if (dueAt > now) {
      idle.push(socket)
      return
    }
    const line = socket.data
    line.index = next++
    line.sentAt = dueAt
    const bytes = message(line.index)
    // Messages are of a few kilobytes, and the socket is idle: the kernel takes them whole.
    if (socket.write(bytes) !== bytes.length) finished.reject(new Error('a request was not sent whole'))
  }

  function receive(socket: Bun.Socket<Line>, chunk: Buffer): void {
    const line = socket.data
    const bytes = line.pending === null ? chunk : Buffer.concat([line.pending, chunk])
    const head = bytes.indexOf(HEAD_END)
    const bodyAt = head + HEAD_END.length
    if (head < 0 || bytes.length < bodyAt + contentLength(bytes, bodyAt)) {
      line.pending = Buffer.from(bytes)
      return
    }
    line.pending = null
    const now = performance.now()
    waitsMs[answered++] = now - line.sentAt
    const status = numberAt(bytes, 9)
    byStatus[status]!++
    if (onAnswer !== undefined) onAnswer({ status, body: bytes.toString('utf8', bodyAt) }, line.index)
    send(socket, now)
  }

  for (let i = 0; i < options.connections; i++) {
    open++
    const socket = await Bun.connect<Line>({
      hostname,
      port: Number(port),
      data: { pending: null, sentAt: 0, index: 0 },
      socket: {
        data: receive,
        close: () => {
          if (--open === 0) finished.resolve()
        },
        error: (_socket, error) => finished.reject(error),
      },
    })
    sockets.push(socket)
  }
  sendingAt = performance.now()
  const cpu = process.cpuUsage()
  for (const socket of sockets) send(socket, performance.now())
  const pacing = setInterval(() => {
    const now = performance.now()
    for (const socket of idle.splice(0)) send(socket, now)
  }, 1)
  const timeout = setTimeout(
    () => finished.reject(new Error(`no answer within ${limitMs + 5000} ms`)),
    limitMs + 5000,
  )
  const turn = () => {
    if (!done) setImmediate(turn)
  }
  if (awake) turn()
  await finished.promise.finally(() => {
    done = true
    clearTimeout(timeout)
    clearInterval(pacing)
  })
  const seconds = (performance.now() - sendingAt) / 1000
  const used = process.cpuUsage(cpu)
  const sorted = waitsMs.subarray(0, answered).sort()
  const at = (share: number) => sorted[Math.floor((answered - 1) * share)] ?? 0
  const statuses = new Map<number, number>()
  byStatus.forEach((answers, status) => {
    if (answers > 0) statuses.set(status, answers)
  })
  return {
    answered,
    seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    statuses,
    cpuMicros: (used.user + used.system) / Math.max(1, answered),
  }
}

/** As Bun writes the header; a redirect or an empty answer may have none. */
function contentLength(bytes: Buffer, end: number): number {
  const at = bytes.indexOf(CONTENT_LENGTH)
  return at < 0 || at >= end ? 0 : numberAt(bytes, at + CONTENT_LENGTH.length)
}

function numberAt(bytes: Buffer, at: number): number {
  let number = 0
  for (let i = at; i < bytes.length; i++) {
    const digit = bytes[i]! - DIGIT_ZERO
    if (digit < 0 || digit > 9) break
    number = number * 10 + digit
  }
  return number
}

export function post(path: string, body: string): Uint8Array {
  return request('POST', path, null, body)
}

export function request(method: string, path: string, key: string | null, body: string): Uint8Array {
  const authorization = key === null ? '' : `Authorization: Bearer ${key}\r\n`
  const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorization}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  return Buffer.from(head + body)
}
