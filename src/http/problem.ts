import type { FieldError } from '../core/outcome.ts'

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** RFC 9457 section 3. The type is `about:blank`: the status says what kind of problem it is. */
export interface ProblemDetails {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly errors?: readonly FieldError[]
}

export function problemDetails(
  status: number,
  detail: string,
  errors: readonly FieldError[] = [],
): ProblemDetails {
  const problem: ProblemDetails = { type: 'about:blank', title: TITLES[status] ?? 'Error', status, detail }
  return errors.length > 0 ? { ...problem, errors } : problem
}

export function problemResponse(
  status: number,
  detail: string,
  errors: readonly FieldError[] = [],
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(problemDetails(status, detail, errors)), {
    status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers },
  })
}

/** Ends a request from any depth of the HTTP layer; the app's error handler answers it. */
export class HttpProblem extends Error {
  override name = 'HttpProblem'
  readonly status: number
  readonly errors: readonly FieldError[]
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    detail: string,
    errors: readonly FieldError[] = [],
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail)
    this.status = status
    this.errors = errors
    this.headers = headers
  }

  response(): Response {
    return problemResponse(this.status, this.message, this.errors, this.headers)
  }
}
