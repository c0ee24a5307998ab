import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { BOOT_MAX } from '../core/ids.ts'

const SINCE = Date.UTC(2020, 0, 1)
/** So many starts are remembered: one a day for ten years. */
const BOOTS_MAX = 4096

/**
 * The numbers of all boots, that of this one last. It was never used before: it follows the clock, so that a folder
 * restored from a backup does not give numbers out again, and counts up where the clock stood or stepped back. On disk
 * before it is used.
 */
export function openBoots(folder: string, now: number): readonly number[] {
  const path = join(folder, 'boot')
  const known = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').map(Number) : []
  const last = known.at(-1) ?? 0
  if (!known.every(Number.isSafeInteger))
    throw new Error(`${path} holds no boot number. Remove it: the next one follows the clock.`)
  const boot = Math.max(last + 1, Math.floor((now - SINCE) / 1000))
  if (!Number.isSafeInteger(boot) || boot > BOOT_MAX)
    throw new Error(`There is no boot number after ${last}.`)
  const boots = [...known, boot].slice(-BOOTS_MAX)
  const file = openSync(`${path}.next`, 'w', 0o600)
  writeSync(file, boots.join('\n'))
  fsyncSync(file)
  closeSync(file)
  renameSync(`${path}.next`, path)
  return boots
}
