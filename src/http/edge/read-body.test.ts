import { afterAll, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import type { Socket } from 'bun'
import { readBody } from './read-body.ts'

const BYTES_MAX = 64 * 1024
/** Not a part of the limit, nor of a character's bytes. */
const CHUNK_BYTES = 10_000
const server = Bun.serve({
  port: 0,
  async fetch(request) {
    const read = await readBody(request, BYTES_MAX)
    return 'text' in read ? new Response(read.text) : new Response(read.detail, { status: read.status })
  },
})
afterAll(() => server.stop(true))

/** Sends without reading, and closes as `Connection: close` asks: what urllib and many others do. */
async function rawStatus(head: string, body: Uint8Array): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  let sent = 0
  let heard = ''
  const all = Buffer.concat([Buffer.from(head.replaceAll('\n', '\r\n')), body])
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: server.port!,
    socket: {
      data: (_socket, data) => {
        heard += data.toString('latin1')
      },
      drain: writable => {
        sent += writable.write(all.subarray(sent))
      },
      close: () => resolve(sent < all.length ? 'broken while sending' : heard.slice(0, 12)),
      error: (_socket, error) => resolve(error.message),
    },
  })
  sent += socket.write(all.subarray(sent))
  return promise
}

/** Without a length: the stream of a Blob would be sent with one. */
function inChunks(body: number | string): ReadableStream<Uint8Array> {
  const bytes = Buffer.from(typeof body === 'string' ? body : 'x'.repeat(body))
  let at = 0
  return new ReadableStream({
    pull(stream) {
      if (at >= bytes.length) return stream.close()
      stream.enqueue(bytes.subarray(at, at + CHUNK_BYTES))
      at += CHUNK_BYTES
    },
  })
}

test.each([0, 1, BYTES_MAX])('a body of %i bytes is read, as it is, in chunks and in gzip', async bytes => {
  const body = 'x'.repeat(bytes)
  for (const init of [
    { body },
    { body: inChunks(bytes) },
    { body: gzipSync(body), headers: { 'content-encoding': 'GZIP' } },
  ]) {
    const answer = await fetch(server.url, { method: 'POST', ...init })
    expect([answer.status, (await answer.text()).length]).toEqual([200, bytes])
  }
})

test('characters of several bytes survive the bounds of chunks', async () => {
  const body = '€'.repeat(BYTES_MAX / 3)
  const answer = await fetch(server.url, { method: 'POST', body: inChunks(body) })
  expect(await answer.text()).toBe(body)
})

test.each([BYTES_MAX + 1, 4 << 20])(
  'a sender of %i bytes that closes sees that it was too much',
  async bytes => {
    const head = `POST / HTTP/1.1\nHost: x\nConnection: close\nContent-Length: ${bytes}\n\n`
    expect(await rawStatus(head, Buffer.alloc(bytes, 32))).toBe('HTTP/1.1 413')
  },
)

test.each([BYTES_MAX + 1, 4 << 20])(
  'a body of %i bytes without a length, or in gzip, is held to the limit as well',
  async bytes => {
    expect((await fetch(server.url, { method: 'POST', body: inChunks(bytes) })).status).toBe(413)
    const packed = gzipSync('x'.repeat(bytes))
    const headers = { 'content-encoding': 'gzip' }
    expect((await fetch(server.url, { method: 'POST', body: packed, headers })).status).toBe(413)
  },
)

test('a sender without an end is answered', async () => {
  const chunk = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`)
  const { promise, resolve } = Promise.withResolvers<string>()
  let sent = 0
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: server.port!,
    socket: {
      data: (_socket, data) => resolve(data.toString('latin1').slice(0, 12)),
      drain: writable => send(writable),
      close: () => resolve('closed'),
    },
  })
  /** At most 64 MB, in whole chunks: what was not taken of one is sent first. */
  function send(writable: Socket): void {
    while (sent < 1000 * chunk.length) {
      const taken = writable.write(chunk.subarray(sent % chunk.length))
      sent += taken
      if (taken === 0) return
    }
  }
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
  send(socket)
  expect(await promise).toBe('HTTP/1.1 413')
  socket.end()
})
