import { expect, test } from 'bun:test'
import { codeOnly, importsOf } from './source-text.ts'

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: placeholders are the text under test
const rows: [title: string, text: string, code: string][] = [
  ['a line comment', 'a // any\nb', 'a       \nb'],
  ['a block comment', 'a /* any\n */ b', 'a       \n    b'],
  ['a string', "x('any')", "x('   ')"],
  ['an escaped quote', "x('a\\'b') + any", "x('    ') + any"],
  ['a template keeps its code', '`any ${any} any` any', '`    ${any}    ` any'],
  ['braces in a template', '`${ { a: 1 } }any`', '`${ { a: 1 } }   `'],
  ['a regular expression with a quote', "x = /any'/ + any", 'x = /    / + any'],
  ['a class with a slash', 'x(/[/]any/)', 'x(/      /)'],
  ['a division', 'a / any / b', 'a / any / b'],
]
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: placeholders are the text under test
test.each(rows)('blanked: %s', (_, text, code) => {
  expect(codeOnly(text)).toBe(code)
})

test('imports are found in every form, and types are told from values', () => {
  const text = [
    "import { a } from './a.ts'",
    "import type { B } from './b.ts'",
    "import { type C, type D } from './c.ts'",
    'import {\n  type E,\n  f,\n} from "./e.ts"',
    "export * from './g.ts'",
    "export type { H } from './h.ts'",
    "import './i.ts'",
    "const j = await import('./j.ts')",
    "new Worker(new URL('./k.ts', import.meta.url))",
    "new URL('./page', base)",
    "// import { l } from './l.ts'",
  ].join('\n')
  expect(importsOf(text).map(found => [found.specifier, found.line, found.typeOnly])).toEqual([
    ['./a.ts', 1, false],
    ['./b.ts', 2, true],
    ['./c.ts', 3, true],
    ['./e.ts', 7, false],
    ['./g.ts', 8, false],
    ['./h.ts', 9, true],
    ['./i.ts', 10, false],
    ['./j.ts', 11, false],
    ['./k.ts', 12, false],
  ])
})
