import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readEnvironment, readServeOptions, UsageError } from '../config.ts'
import { startEmbedded } from '../wiring/embedded.ts'
import { type Api, seed } from './seed.ts'
import { CLEAR_SCREEN, plainLine, screenOf, takePicture } from './terminal.ts'
import { sendTraffic } from './traffic.ts'

const USAGE = `farthing demo: seeds campaigns and sends traffic, all over HTTP, until Ctrl-C

  --port 8080   where to serve; a free port where this one is taken
  --data DIR    keep the books there; by default a temporary folder, deleted at the end

Example: farthing demo --port 8080
`
const HOST = '127.0.0.1'
const REDRAW_MS = 1000

export async function demo(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(USAGE)
    return 0
  }
  const wanted = readFlags(args)
  const port = (await isFree(wanted.port)) ? wanted.port : 0
  if (port !== wanted.port) console.log(`Port ${wanted.port} is in use: taking a free one.`)
  const folder = wanted.data ?? mkdtempSync(join(tmpdir(), 'farthing-demo-'))
  const stop = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.resolve())
  try {
    await run(port, folder, stop.promise)
  } finally {
    if (wanted.data === null) rmSync(folder, { recursive: true, force: true })
  }
  return 0
}

async function run(port: number, folder: string, stopped: Promise<void>): Promise<void> {
  const options = readServeOptions(['--host', HOST, '--port', String(port), '--data', folder])
  const installation = await startEmbedded(options, readEnvironment())
  try {
    await show(installation, stopped)
  } finally {
    await installation.close()
  }
}

async function show(api: Api, stopped: Promise<void>): Promise<void> {
  const about = [`Farthing's demonstration: ${api.url}/   API: ${api.url}/docs`, `Admin key: ${api.adminKey}`]
  console.log(about.join('\n'))
  const seeded = await seed(api)
  const traffic = sendTraffic(api.url, seeded.placements)
  const isScreen = process.stdout.isTTY === true
  if (isScreen) process.stdout.write(CLEAR_SCREEN)
  const startedAt = performance.now()
  let isStopped = false
  const ended = stopped.then(() => {
    isStopped = true
  })
  try {
    for (let second = 1; !isStopped; second++) {
      await Promise.race([ended, sleep(Math.max(0, startedAt + second * REDRAW_MS - performance.now()))])
      if (isStopped) break
      try {
        const picture = await takePicture(api, seeded)
        const text = isScreen
          ? screenOf(picture, traffic.sent, about)
          : plainLine(picture, traffic.sent, second)
        process.stdout.write(isScreen ? text : `${text}\n`)
      } catch (error) {
        // A picture that is missed is no reason to end: the next one is a second away.
        console.error(`No figures this second: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  } finally {
    await traffic.stop()
  }
  console.log(`${isScreen ? '\n' : ''}Stopping.`)
}

function readFlags(args: readonly string[]): { readonly port: number; readonly data: string | null } {
  for (let i = 0; i < args.length; i += 2) {
    if (args[i] !== '--port' && args[i] !== '--data') throw new UsageError(`There is no option ${args[i]}.`)
  }
  const { port } = readServeOptions(args)
  const at = args.indexOf('--data')
  return { port, data: at < 0 ? null : args[at + 1]! }
}

/** Whether a server may listen there; 0 always may. */
function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const probe = createServer()
  probe.once('error', () => resolve(false))
  probe.listen(port, HOST, () => probe.close(() => resolve(true)))
  return promise
}
