import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { Installation, type Scene } from './installation.ts'

const TEST_MS = 40_000
/** Fewer where the system lets a process open fewer: both ends are counted, theirs and ours. */
const SILENT_CONNECTIONS = Math.min(10_000, openFilesMax() - 500)
const REPORTS_UNREAD = 100
const PIPELINED = 100_000
/** Their answers, had they been kept for them, would be more than 1 GB. */
const GROWTH_BYTES_MAX = 400 << 20

let farthing: Installation
let scene: Scene
beforeAll(async () => {
  farthing = await Installation.start()
  scene = await farthing.campaign({ model: 'cpc', amountMicros: 1000 })
})
afterAll(async () => farthing?.remove())

function openFilesMax(): number {
  const line = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))
  return Number(line?.[1] ?? 1024)
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

function connect(): Promise<Socket> {
  const { hostname, port } = new URL(farthing.url)
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) }, () => resolve(socket))
    socket.on('error', reject)
  })
}

async function expectServed(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const startedAt = performance.now()
    const one = await farthing.serve(scene)
    expect((await farthing.browse(one.impressionUrl)).status).toBe(200)
    expect((await farthing.call('GET', '/readyz')).status).toBe(200)
    expect(performance.now() - startedAt).toBeLessThan(5000)
  }
}

test(
  `${SILENT_CONNECTIONS} connections that send nothing, or half a request, keep nobody else from being served`,
  async () => {
    const sockets: Socket[] = []
    try {
      while (sockets.length < SILENT_CONNECTIONS) {
        const some = await Promise.all(Array.from({ length: 250 }, connect))
        for (const socket of some) {
          socket.on('error', () => {})
          if (sockets.length % 2 === 1) socket.write('POST /openrtb2/auction HTTP/1.1\r\nContent-Le')
          sockets.push(socket)
        }
      }
      await expectServed()
      expect(residentBytes(farthing.pid)).toBeLessThan(1 << 30)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
    await expectServed()
  },
  TEST_MS,
)

test(
  'clients that ask and never read do not make memory grow without bound',
  async () => {
    await farthing.call('GET', '/openapi.json')
    const before = residentBytes(farthing.pid)
    const sockets: Socket[] = []
    try {
      for (let i = 0; i < REPORTS_UNREAD; i++) {
        const socket = await connect()
        socket.on('error', () => {})
        socket.pause()
        socket.write(`GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(100))
        sockets.push(socket)
      }
      // One that pipelines far more than anybody would, and reads none of the answers.
      const flood = await connect()
      flood.on('error', () => {})
      flood.pause()
      const ask = 'GET /tag.js HTTP/1.1\r\nHost: a\r\n\r\n'
      for (let i = 0; i < PIPELINED / 1000; i++) flood.write(ask.repeat(1000))
      sockets.push(flood)
      await Bun.sleep(3000)
      await expectServed()
      expect(residentBytes(farthing.pid) - before).toBeLessThan(GROWTH_BYTES_MAX)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  },
  TEST_MS,
)
