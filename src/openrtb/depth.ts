import { JSON_DEPTH_MAX } from './limits.ts'

const QUOTE = 34
const BACKSLASH = 92
const BRACKET_OPEN = 91
const BRACKET_CLOSED = 93
const BRACE_OPEN = 123
const BRACE_CLOSED = 125

/**
 * Whether JSON nests at most `depthMax` arrays and objects. Run before JSON.parse, which would recurse as deep as a
 * stranger asks. Says nothing about validity: where the text breaks the grammar JSON.parse stops, at or before the
 * depth counted so far.
 *
 * A captured request opens 11 arrays and objects, so counting openers by native search, quoted or not, settles nearly
 * all of them: 0.3 us in place of 1.1 us.
 */
export function jsonDepthWithin(json: string | Uint8Array, depthMax: number = JSON_DEPTH_MAX): boolean {
  return typeof json === 'string'
    ? textOpenersWithin(json, depthMax) || textDepthWithin(json, depthMax)
    : byteOpenersWithin(json, depthMax) || bytesDepthWithin(json, depthMax)
}

function textOpenersWithin(text: string, openersMax: number): boolean {
  let left = openersMax
  for (let at = text.indexOf('{'); at !== -1; at = text.indexOf('{', at + 1)) if (--left < 0) return false
  for (let at = text.indexOf('['); at !== -1; at = text.indexOf('[', at + 1)) if (--left < 0) return false
  return true
}

function byteOpenersWithin(bytes: Uint8Array, openersMax: number): boolean {
  let left = openersMax
  for (let at = bytes.indexOf(BRACE_OPEN); at !== -1; at = bytes.indexOf(BRACE_OPEN, at + 1)) {
    if (--left < 0) return false
  }
  for (let at = bytes.indexOf(BRACKET_OPEN); at !== -1; at = bytes.indexOf(BRACKET_OPEN, at + 1)) {
    if (--left < 0) return false
  }
  return true
}

/** What is quoted is jumped over by native search: 0.13 us in place of 0.34 us for an ingested event of 370 characters. */
function textDepthWithin(text: string, depthMax: number): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = quoteEnd(text, at)
      if (at === -1) return true
    } else {
      depth += depthStep(code)
      if (depth > depthMax) return false
    }
  }
  return true
}

/** Where the string that begins at `start` ends, or -1. */
function quoteEnd(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text.charCodeAt(first - 1) === BACKSLASH) first--
  return (at - first) % 2 === 1
}

// The bytes of UTF-8 beyond ASCII are all above 127, so none is taken for a quote or a bracket.
function bytesDepthWithin(bytes: Uint8Array, depthMax: number): boolean {
  let depth = 0
  let quoted = false
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes[at]!
    if (quoted) {
      if (code === BACKSLASH) at++
      else if (code === QUOTE) quoted = false
    } else if (code === QUOTE) quoted = true
    else {
      depth += depthStep(code)
      if (depth > depthMax) return false
    }
  }
  return true
}

function depthStep(code: number): number {
  if (code === BRACKET_OPEN || code === BRACE_OPEN) return 1
  if (code === BRACKET_CLOSED || code === BRACE_CLOSED) return -1
  return 0
}
