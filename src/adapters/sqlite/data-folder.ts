import { Database, SQLiteError } from 'bun:sqlite'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

export interface DataFolder {
  readonly path: string
  readonly logPath: string
  readonly storePath: string
  close(): void
}

export class DataFolderHeld extends Error {
  override name = 'DataFolderHeld'
}

/** Keeps the locks from the garbage collector, which would close, and so release, one that nobody refers to. */
const heldLocks = new Set<Database>()

/**
 * Makes the folder, readable by its owner only, and holds it until `close` or the end of the process, however it ends:
 * the lock is one of the kernel's, taken by an exclusive transaction. Two writers of one log would bill twice.
 * Throws DataFolderHeld, which names the process that holds it.
 */
export function openDataFolder(path: string): DataFolder {
  const lock = openLock(path)
  const holder = join(path, 'holder.txt')
  try {
    lock.run('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    if (!(error instanceof SQLiteError) || !error.code?.startsWith('SQLITE_BUSY')) throw error
    const by = textOr(holder, 'another process')
    throw new DataFolderHeld(`${path} is in use by ${by}. Stop that one first, or take another --data.`, {
      cause: error,
    })
  }
  heldLocks.add(lock)
  // Beside the lock, not in it: nobody can read a database in an exclusive transaction.
  writeFileSync(holder, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}`, {
    mode: 0o600,
  })
  return {
    path,
    logPath: join(path, 'log.sqlite'),
    storePath: join(path, 'store.sqlite'),
    close: () => {
      heldLocks.delete(lock)
      lock.close()
    },
  }
}

function openLock(path: string): Database {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return new Database(join(path, 'lock.sqlite'), { create: true })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${path} cannot be a data folder (${why}). Give one that may be written as --data.`, {
      cause,
    })
  }
}

function textOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}
