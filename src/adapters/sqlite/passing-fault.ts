import { SQLiteError } from 'bun:sqlite'

/** A full disk, a lock of another program, an I/O error: it may pass, and the same may be tried again. */
export function isPassing(error: unknown): boolean {
  return error instanceof SQLiteError && /^SQLITE_(FULL|BUSY|LOCKED|IOERR|CANTOPEN)/.test(error.code ?? '')
}

/** The file is no database, or a damaged one: it will not pass. */
export function isUnreadable(error: unknown): error is SQLiteError {
  return error instanceof SQLiteError && /^SQLITE_(NOTADB|CORRUPT)/.test(error.code ?? '')
}
