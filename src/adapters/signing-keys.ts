import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { SigningKey } from '../tracking/token.ts'

interface KeyFile {
  readonly signing: readonly {
    readonly number: number
    readonly secret: string
    readonly createdAt: string
  }[]
  readonly admin: string
  /** Absent where it was shown when it was made. */
  readonly adminShown?: boolean
}

export interface InstallationKeys {
  readonly signing: readonly SigningKey[]
  /** The admin key of this installation, where the environment gives none. */
  readonly admin: string
  /** Whether nobody was shown it yet: the environment gave another at every start so far. */
  readonly adminIsNew: boolean
}

/** Reads the keys of a data folder, which only its owner may read; makes them at the first start. */
export function openKeys(folder: string): InstallationKeys {
  const path = join(folder, 'keys.json')
  if (!existsSync(path)) {
    const admin = `fk_${randomBytes(24).toString('base64url')}`
    write(path, { signing: [newKey(0)], admin, adminShown: false })
  }
  const file = read(path)
  return {
    signing: file.signing.map(({ number, secret }) => ({ number, secret: Buffer.from(secret, 'base64') })),
    admin: file.admin,
    adminIsNew: file.adminShown === false,
  }
}

/** The admin key is shown once: at no later start again. */
export function noteAdminShown(folder: string): void {
  const path = join(folder, 'keys.json')
  write(path, { ...read(path), adminShown: true })
}

/** Adds a key that signs from the next start on. Older keys still verify: links that are out go on working. */
export function rotateKeys(folder: string): number {
  const path = join(folder, 'keys.json')
  const file = read(path)
  const number = (file.signing.at(-1)!.number + 1) % 256
  write(path, { ...file, signing: [...file.signing.filter(key => key.number !== number), newKey(number)] })
  return number
}

function read(path: string): KeyFile {
  try {
    const file = JSON.parse(readFileSync(path, 'utf8')) as Partial<KeyFile> | null
    const { signing, admin } = file ?? {}
    if (Array.isArray(signing) && signing.length > 0 && typeof admin === 'string')
      return { ...file, signing, admin }
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
  }
  throw new Error(
    `${path} does not hold the keys that sign links. Put back a backup of it. Where it is moved away, new keys are made, ` +
      'and links that are out count no more.',
  )
}

function newKey(number: number) {
  return { number, secret: randomBytes(32).toString('base64'), createdAt: new Date().toISOString() }
}

/** On disk before it is used: a token signed with a key that a power cut took would never verify again. */
function write(path: string, file: KeyFile): void {
  const next = `${path}.next`
  const handle = openSync(next, 'w', 0o600)
  try {
    writeSync(handle, `${JSON.stringify(file, null, 2)}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(next, path)
}
