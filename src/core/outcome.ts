/** A fault in one field of an input. `path` is as in `ads[0].creative.imageUrl`. */
export interface FieldError {
  readonly path: string
  readonly message: string
  /** Of an event that is refused: why, in one word. */
  readonly code?: string
}

/** How a refusal maps to the API: 400 malformed, 404 not there, 409 conflict, 422 a rule or reference refuses it. */
export type RefusalStatus = 400 | 403 | 404 | 409 | 422

/** A refusal is a value; exceptions are for faults of ours and of I/O. */
export interface Refusal {
  readonly ok: false
  readonly status: RefusalStatus
  readonly detail: string
  readonly errors: readonly FieldError[]
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | Refusal

export function accepted<T>(value: T): Outcome<T> {
  return { ok: true, value }
}

export function refused(status: RefusalStatus, detail: string, errors: readonly FieldError[] = []): Refusal {
  return { ok: false, status, detail, errors }
}
