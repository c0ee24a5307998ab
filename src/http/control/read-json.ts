import { utf8Text } from '../../core/bytes.ts'
import { jsonDepthWithin } from '../../openrtb/depth.ts'
import { HttpProblem } from '../problem.ts'

const DEPTH_MAX = 32

/** The JSON of a request, or undefined where it has no body. Throws HttpProblem 400, 413 or 415. */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  const encoding = request.headers.get('content-encoding')
  if (encoding !== null && !/^\s*(identity\s*)?$/i.test(encoding))
    throw new HttpProblem(415, 'Send the body as it is, without Content-Encoding.')
  const bytes = await readBytes(request, bytesMax)
  if (bytes.length === 0) return undefined
  const text = textOf(bytes)
  if (!jsonDepthWithin(text, DEPTH_MAX))
    throw new HttpProblem(400, `The body nests deeper than ${DEPTH_MAX} levels.`)
  const value = parse(text)
  refuseProtoKeys(value, '')
  return value
}

async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = () => new HttpProblem(413, `The body has more than ${bytesMax} bytes.`)
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) throw tooLarge()
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    // Leaving the loop cancels the stream: a sender without a length is cut off at the limit.
    for await (const chunk of request.body) {
      length += chunk.length
      if (length > bytesMax) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof HttpProblem) throw cause
    // The sender went away: nobody hears the answer, and it is no fault of ours to be logged.
    throw new HttpProblem(400, 'The body broke off.')
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8Text(bytes)
  } catch {
    throw new HttpProblem(400, 'The body is not UTF-8.')
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new HttpProblem(
      400,
      `The body is not JSON: ${error instanceof Error ? error.message : 'it does not parse'}.`,
    )
  }
}

/** The one name that validators pass over and that assignments elsewhere would obey. */
function refuseProtoKeys(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) {
    const at = path === '' ? key : `${path}.${key}`
    if (key === '__proto__') {
      throw new HttpProblem(400, 'The body has fields that are not right.', [
        { path: at, message: 'unknown field' },
      ])
    }
    refuseProtoKeys(member, at)
  }
}

/** JSON with the members of objects in one order: two bodies that say the same are the same text. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`
}
