import { Database } from 'bun:sqlite'
import { BooksRefused } from '../../ports/store.ts'
import { isUnreadable } from './passing-fault.ts'

/** Opens the file of the store. Throws BooksRefused for what SQLite cannot read. */
export function openStore(
  path: string,
  options: { readonly create: true } | { readonly readonly: true },
): Database {
  const db = new Database(path, options)
  try {
    // Opening reads nothing: this does.
    db.run('PRAGMA schema_version')
  } catch (error) {
    db.close()
    if (!isUnreadable(error)) throw error
    throw new BooksRefused(
      `${path} cannot be read (${error.message}). Put back a backup, or move it away: the next start makes it anew from the log.`,
    )
  }
  return db
}
