import { version } from '../package.json' with { type: 'json' }
import { readEnvironment, readServeOptions, UsageError } from './config.ts'
import { type Command, helpOf, isCommand, OVERVIEW } from './help.ts'
import { startEmbedded } from './wiring/embedded.ts'

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args[0] === 'help' ? [...args.slice(1), '--help'] : args
  if (name === undefined || name === '--help' || name === '-h') {
    process.stdout.write(OVERVIEW)
    return args.length === 0 ? 2 : 0
  }
  if (name === '--version' || name === '-v') {
    console.log(`farthing ${version}`)
    return 0
  }
  if (!isCommand(name)) throw new UsageError(`There is no command ${name}.`)
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(helpOf(name))
    return 0
  }
  return run(name, rest)
}

async function run(command: Command, args: readonly string[]): Promise<number> {
  switch (command) {
    case 'serve':
      return serve(args)
    case 'demo':
      return (await import('./demo/demo.ts')).demo(args)
    case 'verify':
      return (await import('./wiring/books.ts')).verifyBooks(args)
    case 'rebuild':
      return (await import('./wiring/books.ts')).rebuildBooks(args)
    case 'keys':
      return (await import('./wiring/books.ts')).keys(args)
    case 'bench':
      return (await import('../bench/main.ts')).bench(args)
    case 'simulate':
      return (await import('../simulation/main.ts')).simulate(args)
  }
}

async function serve(args: readonly string[]): Promise<number> {
  const options = readServeOptions(args)
  const installation = await startEmbedded(options, readEnvironment())
  // Before the address is known to anyone: who reads it may end us in the same moment.
  const stop = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.resolve())
  console.log(`Farthing serves at ${installation.url}`)
  console.log(`Its API is described at ${installation.url}/docs`)
  if (options.publicUrl === null && !isLoopback(options.host)) {
    console.log(`Links in ads lead to ${installation.url}. Say how browsers reach it: --public-url URL`)
  }
  if (installation.adminKeyIsNew) console.log(`Admin key, shown this once: ${installation.adminKey}`)
  await stop.promise
  await installation.close()
  return 0
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

const args = process.argv.slice(2)
try {
  process.exit(await main(args))
} catch (error) {
  console.error(`farthing: ${error instanceof Error ? error.message : String(error)}`)
  if (!(error instanceof UsageError)) process.exit(1)
  console.error(`See './farthing ${isCommand(args[0]) ? `${args[0]} ` : ''}--help'.`)
  process.exit(2)
}
