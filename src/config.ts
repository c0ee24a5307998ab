/** The only reader of the environment. */
export interface Environment {
  readonly adminKey: string | null
  readonly clockOffsetMs: number
}

export function readEnvironment(): Environment {
  const offset = Number(process.env['FARTHING_CLOCK_OFFSET_MS'] ?? 0)
  if (!Number.isSafeInteger(offset))
    throw new Error('FARTHING_CLOCK_OFFSET_MS is not a whole number of milliseconds.')
  return Object.freeze({ adminKey: process.env['FARTHING_ADMIN_KEY'] || null, clockOffsetMs: offset })
}

export interface ServeOptions {
  readonly host: string
  readonly port: number
  readonly data: string
  readonly publicUrl: string | null
  readonly trustedProxies: string
  readonly dataCentres: string | null
  readonly geo: string | null
  readonly holdMs: number
}

const SERVE_FLAGS = {
  host: '127.0.0.1',
  port: '8080',
  data: './data',
  'public-url': '',
  'trusted-proxies': '127.0.0.0/8,::1/128',
  'data-centres': '',
  geo: '',
  'hold-ms': '60000',
}

/** Reads `--name value` pairs. Throws UsageError for a flag that is not there, and for a value out of range. */
export function readServeOptions(args: readonly string[]): ServeOptions {
  const flags: Record<string, string> = { ...SERVE_FLAGS }
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i]!.replace(/^--/, '')
    const value = args[i + 1]
    if (!args[i]!.startsWith('--') || !(name in flags)) throw new UsageError(`There is no option ${args[i]}.`)
    if (value === undefined) throw new UsageError(`${args[i]} needs a value.`)
    flags[name] = value
  }
  return Object.freeze({
    host: flags['host']!,
    port: integer('port', flags['port']!, 0, 65_535),
    data: flags['data']!,
    publicUrl: flags['public-url'] === '' ? null : flags['public-url']!.replace(/\/$/, ''),
    trustedProxies: flags['trusted-proxies']!.replaceAll(',', '\n'),
    dataCentres: flags['data-centres'] || null,
    geo: flags['geo'] || null,
    holdMs: integer('hold-ms', flags['hold-ms']!, 100, 3_600_000),
  })
}

export class UsageError extends Error {
  override name = 'UsageError'
}

function integer(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new UsageError(`--${name} must be a whole number from ${least} to ${most}, not ${text}.`)
  }
  return value
}
