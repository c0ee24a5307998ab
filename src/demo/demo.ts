import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readEnvironment, readFlags, readServeOptions } from '../config.ts'
import { startEmbedded } from '../wiring/embedded.ts'
import { CLEAR_SCREEN, SHOW_CURSOR } from './ansi.ts'
import { freePort, HOST } from './ports.ts'
import { servePublisherPage } from './publisher-page.ts'
import { type Api, type Seeded, seed } from './seed.ts'
import { plainLine, screenOf, takePicture } from './terminal.ts'
import { sendTraffic, type Traffic } from './traffic.ts'

const REDRAW_MS = 1000
const PORT_MAX = 65_535

export async function demo(args: readonly string[]): Promise<number> {
  const flags = readFlags(args, { port: '8080', data: '' })
  const wanted = readServeOptions(['--port', flags.port]).port
  const port = await freePort(wanted)
  if (port !== wanted) console.log(`Port ${wanted} is in use: taking a free one.`)
  const stopped = untilStopped()
  const folder = flags.data || mkdtempSync(join(tmpdir(), 'farthing-demo-'))
  try {
    await run(port, folder, stopped)
  } finally {
    if (flags.data === '') rmSync(folder, { recursive: true, force: true })
  }
  if (flags.data !== '')
    console.log(`The books are in ${folder}. To check them: ./farthing verify --data ${folder}`)
  return 0
}

async function run(port: number, folder: string, stopped: AbortSignal): Promise<void> {
  const options = readServeOptions(['--host', HOST, '--port', String(port), '--data', folder])
  const installation = await startEmbedded(options, readEnvironment())
  try {
    await show(installation, stopped)
  } finally {
    await installation.close()
  }
}

async function show(api: Api, stopped: AbortSignal): Promise<void> {
  const seeded = await seed(api)
  const port = Number(new URL(api.url).port)
  const page = await servePublisherPage(
    api.url,
    seeded.placements,
    await freePort(port < PORT_MAX ? port + 1 : 0),
  )
  const about = [
    "Farthing's demonstration: made-up campaigns and readers, all over HTTP",
    '',
    `  Look at it      ${api.url}/#key=${api.adminKey}`,
    `  Ads on a page   ${page.url}`,
    `  API             ${api.url}/docs`,
    `  Admin key       ${api.adminKey}`,
  ]
  console.log(`${about.join('\n')}\n`)
  const traffic = sendTraffic(api.url, seeded.placements)
  try {
    await tell(api, seeded, traffic, { about, stopped })
  } finally {
    await traffic.stop()
    await page.close()
  }
}

/** Says each second what happened, until it is stopped. */
async function tell(
  api: Api,
  seeded: Seeded,
  { sent }: Traffic,
  { about, stopped }: { readonly about: readonly string[]; readonly stopped: AbortSignal },
): Promise<void> {
  const isScreen = process.stdout.isTTY === true
  if (isScreen) process.stdout.write(CLEAR_SCREEN)
  const startedAt = performance.now()
  try {
    for (let second = 1; ; second++) {
      const wait = Math.max(0, startedAt + second * REDRAW_MS - performance.now())
      await sleep(wait, undefined, { signal: stopped }).catch(() => {})
      if (stopped.aborted) break
      try {
        const picture = await takePicture(api, seeded)
        process.stdout.write(
          isScreen ? screenOf(picture, sent, about) : `${plainLine(picture, sent, second)}\n`,
        )
      } catch (error) {
        // A picture that is missed is no reason to end: the next one is a second away.
        console.error(`No figures this second: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  } finally {
    if (isScreen) process.stdout.write(SHOW_CURSOR)
  }
  console.log(`${isScreen ? '\n' : ''}Stopping.`)
}

/** Aborted by Ctrl-C, a kill, a terminal that is closed, or a reader of the output that has gone (`| head`). */
function untilStopped(): AbortSignal {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort())
  process.stdout.on('error', () => stopping.abort())
  return stopping.signal
}
