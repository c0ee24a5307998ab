/** Requests at a steady rate, whether answers come or not: what a user waits, not what a generator allows. */

export interface PacedFigures {
  readonly answered: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
}

interface Line {
  /** When the request that it carries was due. */
  dueAt: number
  /** Bytes of the answer that are still to come; -1 while its head is not whole. */
  left: number
  head: Buffer
}

const CONNECTIONS = 64
const ANSWERS_WAIT_MS = 5000

/** A wait counts from the time at which its request was due: a server that stalls cannot hide it by being asked less. */
export async function sendPaced(options: {
  readonly url: string
  readonly perSecond: number
  readonly seconds: number
  readonly message: (index: number) => Uint8Array
}): Promise<PacedFigures> {
  const { perSecond, seconds, message } = options
  const { hostname, port } = new URL(options.url)
  const count = Math.floor(perSecond * seconds)
  const waitsMs = new Float64Array(count)
  const idle: Bun.Socket<Line>[] = []
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  let due = 0
  let sent = 0
  let answered = 0
  let startedAt = 0

  const dueAt = (index: number) => startedAt + (index * 1000) / perSecond
  function send(socket: Bun.Socket<Line>): void {
    socket.data.dueAt = dueAt(sent)
    socket.data.left = -1
    const bytes = message(sent++)
    if (socket.write(bytes) !== bytes.length) failed.reject(new Error('a request was not sent whole'))
  }
  function receive(socket: Bun.Socket<Line>, chunk: Buffer): void {
    const line = socket.data
    if (line.left < 0) {
      line.head = line.head.length === 0 ? chunk : Buffer.concat([line.head, chunk])
      const end = line.head.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = line.head.toString('latin1', 0, end)
      const status = Number(head.slice(9, 12))
      if (status !== 200 && status !== 204) failed.reject(new Error(`the server answered ${status}`))
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      line.left = end + 4 + length - line.head.length
      line.head = Buffer.alloc(0)
    } else line.left -= chunk.length
    if (line.left > 0) return
    waitsMs[answered++] = performance.now() - line.dueAt
    if (sent < due) send(socket)
    else idle.push(socket)
  }

  const sockets: Bun.Socket<Line>[] = []
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket = await Bun.connect<Line>({
      hostname,
      port: Number(port),
      data: { dueAt: 0, left: -1, head: Buffer.alloc(0) },
      socket: { data: receive, error: (_socket, error) => failed.reject(error) },
    })
    sockets.push(socket)
    idle.push(socket)
  }
  startedAt = performance.now()
  const endsAt = startedAt + seconds * 1000 + ANSWERS_WAIT_MS
  const finished = (async () => {
    while (answered < count) {
      const now = performance.now()
      if (now > endsAt) throw new Error(`${count - answered} requests had no answer`)
      while (due < count && dueAt(due) <= now) due++
      while (sent < due && idle.length > 0) send(idle.pop()!)
      // A loop that never rests would take a core from the server. What a timer is late by counts as the server's.
      await Bun.sleep(1)
    }
  })()
  await Promise.race([finished, failed.promise]).finally(() => {
    for (const socket of sockets) socket.end()
  })
  const spent = (performance.now() - startedAt) / 1000
  waitsMs.sort()
  const at = (share: number) => waitsMs[Math.floor((count - 1) * share)] ?? 0
  return { answered, perSecond: answered / spent, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) }
}
