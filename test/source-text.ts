/** One import of a source file, as written. */
export interface Import {
  readonly specifier: string
  readonly line: number
  /** Gone at run time: `import type`, or braces in which every name is a type. */
  readonly typeOnly: boolean
}

/**
 * The text with the insides of comments, strings and regular expressions blanked, so that a rule about code is not
 * broken by prose. Code inside `${}` stays. Every line and column stays where it was.
 */
export function codeOnly(text: string): string {
  let out = ''
  let at = 0
  /** Depth of braces at which each open `${` ends. */
  const templates: number[] = []
  let depth = 0
  const blank = (to: number) => {
    out += text.slice(at, to).replace(/[^\n]/g, ' ')
    at = to
  }
  const keep = (count = 1) => {
    out += text.slice(at, at + count)
    at += count
  }
  const template = () => {
    let to = at
    while (to < text.length && text[to] !== '`' && !text.startsWith('${', to)) to += text[to] === '\\' ? 2 : 1
    blank(Math.min(to, text.length))
    if (text[at] === '`') keep()
    else if (at < text.length) {
      templates.push(depth)
      depth++
      keep(2)
    }
  }
  while (at < text.length) {
    const char = text[at]!
    if (text.startsWith('//', at)) blank(indexOrEnd(text, '\n', at))
    else if (text.startsWith('/*', at)) blank(Math.min(text.length, indexOrEnd(text, '*/', at + 2) + 2))
    else if (char === "'" || char === '"') {
      keep()
      let to = at
      while (to < text.length && text[to] !== char && text[to] !== '\n') to += text[to] === '\\' ? 2 : 1
      blank(Math.min(to, text.length))
      keep()
    } else if (char === '`') {
      keep()
      template()
    } else if (char === '/' && regexMayStart(out)) {
      keep()
      const body = /^(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//.exec(text.slice(at))
      if (body !== null) blank(at + body[0].length - 1)
    } else {
      if (char === '{') depth++
      if (char === '}') depth--
      keep()
      if (char === '}' && templates.at(-1) === depth) {
        templates.pop()
        template()
      }
    }
  }
  return out
}

/** `import`, `export ... from`, `import()` and `new URL('./file.ts', import.meta.url)` of a file. */
export function importsOf(text: string): Import[] {
  const code = codeOnly(text)
  const found: Import[] = []
  const statement = /^[ \t]*(?:import|export)\b([^'"`;()=]*?)\bfrom\s*(['"])|^[ \t]*import\s*(['"])/gm
  const call = /\bimport\(\s*(['"])|\bnew URL\(\s*(['"])(?=\s*['"]\s*,\s*import\.meta\.url)/g
  for (const match of code.matchAll(statement)) add(match, match[1] ?? '')
  for (const match of code.matchAll(call)) add(match, '')
  return found

  function add(match: RegExpMatchArray, names: string): void {
    const start = match.index! + match[0].length
    const specifier = text.slice(start, text.indexOf(text[start - 1]!, start))
    found.push({ specifier, line: lineAt(text, start), typeOnly: onlyTypes(names) })
  }
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

function onlyTypes(names: string): boolean {
  if (/^\s*type\b(?!\s*,)/.test(names)) return true
  const braces = /^\s*\{([^}]*)\}\s*$/.exec(names)
  if (braces === null) return false
  const listed = braces[1]!.split(',').map(name => name.trim())
  return listed.some(name => name !== '') && listed.every(name => name === '' || name.startsWith('type '))
}

/** A slash after a value divides; after an operator, an opening bracket or `return` it begins an expression. */
function regexMayStart(before: string): boolean {
  const code = before.trimEnd()
  return (
    code === '' || /[(,=:[!&|?{};+\-*%<>~^]$/.test(code) || /\b(?:return|typeof|case|in|of|await)$/.test(code)
  )
}

function indexOrEnd(text: string, part: string, from: number): number {
  const found = text.indexOf(part, from)
  return found < 0 ? text.length : found
}
