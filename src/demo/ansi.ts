/** Escape sequences of a terminal (ECMA-48). */
const ESC = '\x1b'

export const CLEAR_SCREEN = `${ESC}[2J${ESC}[H${ESC}[?25l`
export const SHOW_CURSOR = `${ESC}[?25h`

/** Lines over the screen before: from the top, each clears its rest; what is left below is cleared. */
export function drawnOver(lines: readonly string[]): string {
  return `${ESC}[H${lines.map(line => `${line}${ESC}[K`).join('\n')}${ESC}[J`
}

const STYLE_OR_TEXT = new RegExp(`${ESC}\\[\\d*m|[^${ESC}]+`, 'g')

/** To a width in characters: what styles the text takes no room. */
export function cut(line: string, width: number): string {
  let room = width
  return line.replaceAll(STYLE_OR_TEXT, part => {
    if (part.startsWith(ESC)) return part
    const kept = part.slice(0, room)
    room -= kept.length
    return kept
  })
}

export function bold(text: string): string {
  return `${ESC}[1m${text}${ESC}[0m`
}

export function dim(text: string): string {
  return `${ESC}[2m${text}${ESC}[0m`
}

export function green(text: string): string {
  return `${ESC}[32m${text}${ESC}[0m`
}

export function red(text: string): string {
  return `${ESC}[31m${text}${ESC}[0m`
}
