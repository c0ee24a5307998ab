/** The only reader of the environment. */
export interface Environment {
  readonly adminKey: string | null
  readonly clockOffsetMs: number
}

export function readEnvironment(): Environment {
  const offset = Number(process.env['FARTHING_CLOCK_OFFSET_MS'] ?? 0)
  if (!Number.isSafeInteger(offset))
    throw new UsageError('FARTHING_CLOCK_OFFSET_MS must be a whole number of milliseconds.')
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

export function readServeOptions(args: readonly string[]): ServeOptions {
  const flags = readFlags(args, SERVE_FLAGS)
  return Object.freeze({
    host: flags.host,
    port: integer('port', flags.port, 0, 65_535),
    data: flags.data,
    publicUrl: flags['public-url'] === '' ? null : webAddress('public-url', flags['public-url']),
    trustedProxies: flags['trusted-proxies'].replaceAll(',', '\n'),
    dataCentres: flags['data-centres'] || null,
    geo: flags.geo || null,
    holdMs: integer('hold-ms', flags['hold-ms'], 100, 3_600_000),
  })
}

/** `--name value` and `--name=value`, over the given defaults. Throws UsageError for anything else. */
export function readFlags<Name extends string>(
  args: readonly string[],
  defaults: Readonly<Record<Name, string>>,
): Record<Name, string> {
  const flags: Record<Name, string> = { ...defaults }
  for (let i = 0; i < args.length; i++) {
    const [, name = '', given] = /^--([^=]+)(?:=(.*))?$/s.exec(args[i]!) ?? []
    if (!isNameOf(defaults, name)) {
      const taken = Object.keys(defaults).map(known => `--${known}`)
      throw new UsageError(`There is no option ${args[i]}. There is ${taken.join(', ')}.`)
    }
    const value = given ?? args[++i]
    if (value === undefined || value === '') throw new UsageError(`--${name} needs a value.`)
    flags[name] = value
  }
  return flags
}

function isNameOf<Name extends string>(defaults: Readonly<Record<Name, string>>, name: string): name is Name {
  return Object.hasOwn(defaults, name)
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

function webAddress(name: string, text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new UsageError(`--${name} must be an address such as https://ads.example.com, not ${text}.`)
  }
  return text.replace(/\/$/, '')
}
