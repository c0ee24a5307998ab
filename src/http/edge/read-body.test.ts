import { afterAll, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { readBody } from './read-body.ts'

const BYTES_MAX = 64 * 1024
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

test.each([0, 1, BYTES_MAX])('a body of %i bytes is read, as it is, in chunks and in gzip', async bytes => {
  const body = 'x'.repeat(bytes)
  const stream = () => new Blob([body]).stream()
  for (const init of [
    { body },
    { body: stream() },
    { body: gzipSync(body), headers: { 'content-encoding': 'GZIP' } },
  ]) {
    const answer = await fetch(server.url, { method: 'POST', ...init })
    expect([answer.status, (await answer.text()).length]).toEqual([200, bytes])
  }
})

test('characters of several bytes survive the bounds of chunks', async () => {
  const body = '€'.repeat(BYTES_MAX / 3)
  const answer = await fetch(server.url, { method: 'POST', body: new Blob([body]).stream() })
  expect(await answer.text()).toBe(body)
})

test.each([BYTES_MAX + 1, 4 << 20])(
  'a sender of %i bytes that closes sees that it was too much',
  async bytes => {
    const head = `POST / HTTP/1.1\nHost: x\nConnection: close\nContent-Length: ${bytes}\n\n`
    expect(await rawStatus(head, Buffer.alloc(bytes, 32))).toBe('HTTP/1.1 413')
  },
)

test('a body without a length is held to the limit as well', async () => {
  const body = new Blob(['x'.repeat(4 << 20)]).stream()
  expect((await fetch(server.url, { method: 'POST', body })).status).toBe(413)
})
