/** The script of docs/verify.md, as an outsider saves and runs it. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ADMIN_KEY, Installation, type Json, type Run } from './installation.ts'

const IMPRESSIONS = 12
const SCRIPT_MS_MAX = 10_000
const TEST_MS = 20_000
const folder = mkdtempSync(join(tmpdir(), 'farthing-verify-'))
const script = join(folder, 'verify.mjs')
let farthing: Installation
beforeAll(async () => {
  const page = readFileSync(join(import.meta.dir, '../../docs/verify.md'), 'utf8')
  writeFileSync(script, /```js\n(.*?)```/s.exec(page)![1]!)
  farthing = await Installation.start()
  const scene = await farthing.campaign({ model: 'cpm', amountMicros: 1_234_567 })
  const shown: string[] = []
  for (let i = 0; i < IMPRESSIONS; i++) {
    const { impressionUrl, impressionId } = await farthing.serve(scene)
    await farthing.browse(impressionUrl)
    shown.push(impressionId)
  }
  for (const id of shown) await farthing.chargeIn(id, 'charged')
}, TEST_MS)
afterAll(async () => {
  await farthing?.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function verified(...args: string[]): Promise<Run> {
  const child = spawn('node', [script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: SCRIPT_MS_MAX,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      output += chunk
    })
  }
  const code = await new Promise<number | null>(resolve => child.on('close', resolve))
  return { code, output }
}

test(
  'finds honest books in order, and counts what it has seen',
  async () => {
    const { code, output } = await verified(farthing.url, ADMIN_KEY)
    expect(output).toContain(`${IMPRESSIONS} impressions in blocks`)
    expect(output).toMatch(/balances: (\d+) of \1 compared/)
    expect(code).toBe(0)
  },
  TEST_MS,
)

const FORGERIES: readonly [string, (body: Json, path: string) => void, string][] = [
  [
    'an amount',
    (body, path) => {
      if (!path.startsWith('/v1/ledger/entries?')) return
      const { postings } = body.items[0]
      postings[0].amountMicros += 1
      postings[1].amountMicros -= 1
    },
    'another hash',
  ],
  [
    'an impression of a block',
    (body, path) => {
      if (path.endsWith('/charges')) body.items.pop()
    },
    'another Merkle root',
  ],
  [
    'a balance',
    (body, path) => {
      if (path === '/v1/ledger/balances') body.items[0].balanceMicros += 1
    },
    'another balance',
  ],
  [
    'an entry left out at the end',
    (body, path) => {
      if (path.startsWith('/v1/ledger/entries?')) body.items.pop()
    },
    'ends before its head',
  ],
]
for (const [what, forge, fault] of FORGERIES) {
  test(
    `finds ${what} forged`,
    async () => {
      const between = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        async fetch(request) {
          const { pathname, search } = new URL(request.url)
          const body = (await farthing.call('GET', pathname + search)).body
          forge(body, pathname + search)
          return Response.json(body)
        },
      })
      try {
        const { code, output } = await verified(`http://127.0.0.1:${between.port}`, ADMIN_KEY)
        expect(output).toContain(fault)
        expect(code).toBe(1)
      } finally {
        await between.stop(true)
      }
    },
    TEST_MS,
  )
}

test(
  'says what it needs, and what the server refused',
  async () => {
    expect(await verified()).toMatchObject({ code: 1, output: expect.stringContaining('address and a key') })
    expect(await verified(farthing.url, 'wrong')).toMatchObject({
      code: 1,
      output: expect.stringContaining('401'),
    })
  },
  TEST_MS,
)
