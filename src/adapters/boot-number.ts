import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { BOOT_MAX } from '../core/ids.ts'

const SINCE = Date.UTC(2020, 0, 1)

/**
 * A number for this boot that was never used before. It follows the clock, so that a folder restored from a backup does
 * not give numbers out again, and counts up where the clock stood or stepped back. On disk before it is used.
 */
export function nextBootNumber(folder: string, now: number): number {
  const path = join(folder, 'boot')
  const last = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0
  if (!Number.isSafeInteger(last))
    throw new Error(`${path} holds no boot number. Remove it: the next one follows the clock.`)
  const boot = Math.max(last + 1, Math.floor((now - SINCE) / 1000))
  if (!Number.isSafeInteger(boot) || boot > BOOT_MAX)
    throw new Error(`There is no boot number after ${last}.`)
  const file = openSync(`${path}.next`, 'w', 0o600)
  writeSync(file, String(boot))
  fsyncSync(file)
  closeSync(file)
  renameSync(`${path}.next`, path)
  return boot
}
