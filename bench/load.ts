/** A load generator of as little work as can be: keep-alive sockets, each with one request under way. */

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
}

interface Line {
  pending: Buffer
  sentAt: number
  index: number
}

/** Sends each message once, in order, over `connections` sockets; ends at `limitMs` at the latest. */
export async function sendAll(options: {
  readonly url: string
  readonly connections: number
  readonly limitMs: number
  readonly count: number
  readonly message: (index: number) => Uint8Array
  readonly onAnswer?: (answer: Answer, index: number) => void
}): Promise<LoadFigures> {
  const { hostname, port } = new URL(options.url)
  const waitsMs: number[] = []
  const statuses = new Map<number, number>()
  const startedAt = performance.now()
  let next = 0
  let open = 0
  const finished = Promise.withResolvers<void>()
  const sockets: Bun.Socket<Line>[] = []

  function send(socket: Bun.Socket<Line>): void {
    const now = performance.now()
    if (next >= options.count || now - startedAt > options.limitMs) {
      socket.end()
      return
    }
    socket.data.index = next++
    socket.data.sentAt = now
    const message = options.message(socket.data.index)
    // Messages are of a few kilobytes, and the socket is idle: the kernel takes them whole.
    if (socket.write(message) !== message.length) finished.reject(new Error('a request was not sent whole'))
  }

  function receive(socket: Bun.Socket<Line>, chunk: Buffer): void {
    const line = socket.data
    const bytes = line.pending.length === 0 ? chunk : Buffer.concat([line.pending, chunk])
    const head = bytes.indexOf('\r\n\r\n')
    if (head < 0) {
      line.pending = Buffer.from(bytes)
      return
    }
    const text = bytes.toString('latin1', 0, head)
    const status = Number(text.slice(9, 12))
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
    if (bytes.length < head + 4 + length) {
      line.pending = Buffer.from(bytes)
      return
    }
    line.pending = Buffer.alloc(0)
    waitsMs.push(performance.now() - line.sentAt)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    options.onAnswer?.({ status, body: bytes.toString('utf8', head + 4, head + 4 + length) }, line.index)
    send(socket)
  }

  for (let i = 0; i < options.connections; i++) {
    open++
    const socket = await Bun.connect<Line>({
      hostname,
      port: Number(port),
      data: { pending: Buffer.alloc(0), sentAt: 0, index: 0 },
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
  const sendingAt = performance.now()
  for (const socket of sockets) send(socket)
  const timeout = setTimeout(
    () => finished.reject(new Error(`no answer within ${options.limitMs + 5000} ms`)),
    options.limitMs + 5000,
  )
  await finished.promise.finally(() => clearTimeout(timeout))
  const seconds = (performance.now() - sendingAt) / 1000
  waitsMs.sort((a, b) => a - b)
  const at = (share: number) => waitsMs[Math.floor((waitsMs.length - 1) * share)] ?? 0
  return { answered: waitsMs.length, seconds, p50Ms: at(0.5), p99Ms: at(0.99), statuses }
}

export function post(path: string, body: string): Uint8Array {
  const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  return Buffer.from(head + body)
}
