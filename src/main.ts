import { readEnvironment, readServeOptions, UsageError } from './config.ts'
import { startEmbedded } from './wiring/embedded.ts'

const USAGE = `farthing: a self-hosted real-time advertising platform

  farthing serve [options]      run everything in one process, on embedded engines
    --host 127.0.0.1  --port 8080  --data ./data  --public-url URL
    --trusted-proxies CIDR,CIDR   whose X-Forwarded-For is believed (default: loopback)
    --data-centres FILE           addresses from which people do not browse, one CIDR a line
    --geo FILE.mmdb               countries by address, in place of the table that ships
    --hold-ms 60000               how long a click waits for its impression
  farthing demo [--port N] [--data DIR]    the demonstration: seeds campaigns and sends traffic
  farthing verify --data DIR    checks the books of a stopped installation
  farthing rebuild --data DIR   makes the tables anew from the log, and compares
  farthing keys rotate --data DIR
  farthing bench [--short] [--json FILE]   measures a checkout, beside the limits

Example: farthing serve --port 8080 --data ./data
`

async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args
  const ownHelp = command === 'demo' || command === 'bench'
  if (
    command === undefined ||
    (rest.includes('--help') && !ownHelp) ||
    command === '--help' ||
    command === 'help'
  ) {
    process.stdout.write(USAGE)
    return command === undefined ? 2 : 0
  }
  switch (command) {
    case 'serve':
      return serve(rest)
    case 'demo':
      return (await import('./demo/demo.ts')).demo(rest)
    case 'verify':
      return (await import('./wiring/books.ts')).verifyBooks(rest)
    case 'rebuild':
      return (await import('./wiring/books.ts')).rebuildBooks(rest)
    case 'keys':
      return (await import('./wiring/books.ts')).keys(rest)
    case 'bench':
      return (await import('../bench/main.ts')).bench(rest)
    default:
      throw new UsageError(`There is no command ${command}.`)
  }
}

async function serve(args: readonly string[]): Promise<number> {
  const installation = await startEmbedded(readServeOptions(args), readEnvironment())
  console.log(`Farthing serves at ${installation.url}`)
  if (installation.adminKeyIsNew) console.log(`Admin key, shown this once: ${installation.adminKey}`)
  const stop = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.resolve())
  await stop.promise
  await installation.close()
  return 0
}

try {
  process.exit(await main(process.argv.slice(2)))
} catch (error) {
  if (error instanceof UsageError) console.error(`farthing: ${error.message} Run 'farthing --help'.`)
  else console.error(`farthing: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(error instanceof UsageError ? 2 : 1)
}
