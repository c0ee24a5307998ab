import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { codeOnly, importsOf, lineAt } from './source-text.ts'

/**
 * Who may know whom in `src`, itself aside. Each folder may name only folders above it, so that imports go one way.
 * Rules (down to privacy) never know adapters, http or wiring.
 */
const RULES_KNOW: Record<string, readonly string[]> = {
  core: [],
  records: ['core'],
  ports: ['core', 'records'],
  screening: ['core', 'records', 'ports'],
  openrtb: ['core'],
  campaigns: ['core', 'records', 'ports', 'screening', 'openrtb'],
  budgets: ['core', 'records', 'ports', 'campaigns'],
  tracking: ['core', 'records', 'ports', 'screening', 'openrtb', 'campaigns'],
  exchange: ['core', 'records', 'ports', 'screening', 'openrtb', 'campaigns', 'budgets', 'tracking'],
  serving: [
    'core',
    'records',
    'ports',
    'screening',
    'openrtb',
    'campaigns',
    'budgets',
    'tracking',
    'exchange',
  ],
  billing: ['core', 'records', 'ports', 'screening', 'campaigns', 'budgets', 'tracking'],
  market: ['core', 'records', 'ports', 'campaigns', 'budgets', 'billing'],
  reporting: ['core', 'records', 'ports', 'campaigns', 'budgets', 'billing'],
  privacy: ['core', 'records', 'ports', 'campaigns', 'tracking', 'reporting'],
}
const RULES = Object.keys(RULES_KNOW)
const KNOWS: Record<string, readonly string[]> = {
  ...RULES_KNOW,
  config: ['core'],
  help: [],
  console: ['core'],
  adapters: RULES,
  http: [...RULES, 'config', 'console'],
  wiring: [...RULES, 'config', 'console', 'adapters', 'http'],
  demo: ['core', 'config', 'console', 'wiring'],
  main: [...RULES, 'config', 'console', 'adapters', 'http', 'wiring', 'demo', 'help'],
}
/** A port names the rows that it carries: types only, so that nothing of them is there at run time. */
const KNOWS_TYPES_OF: Record<string, readonly string[]> = {
  ports: ['tracking', 'billing'],
}

const BUN_FOLDERS = ['adapters', 'http', 'wiring', 'main']
const ENVIRONMENT_READER = 'src/config.ts'
const LINES_MAX = 500
/** Tables of constants, which no reader goes through from top to bottom. */
const LONG_TABLES: readonly string[] = []

interface Source {
  readonly path: string
  readonly text: string
  readonly code: string
}

const root = join(import.meta.dir, '..')
const sources: Source[] = ['src', 'simulation', 'bench', 'test']
  .filter(folder => existsSync(join(root, folder)))
  .flatMap(folder => [...new Bun.Glob(`${folder}/**/*.{ts,tsx}`).scanSync(root)])
  .sort()
  .map(path => {
    const text = readFileSync(join(root, path), 'utf8')
    return { path, text, code: codeOnly(text) }
  })
const inSrc = sources.filter(source => source.path.startsWith('src/'))
/** Tests may know what they test with; the rules are for what runs. */
const running = inSrc.filter(source => !/\.test\.tsx?$/.test(source.path))

/** `src/billing/ledger.ts` is in `billing`, `src/main.ts` in `main`. */
function folderOf(path: string): string {
  return path.split('/')[1]!.replace(/\.tsx?$/, '')
}

function targetOf(source: Source, specifier: string): string | null {
  return specifier.startsWith('.') ? normalize(join(dirname(source.path), specifier)) : null
}

function matches(source: Source, text: string, pattern: RegExp, rule: string): string[] {
  return [...text.matchAll(pattern)].map(match => `${source.path}:${lineAt(text, match.index)}: ${rule}`)
}

function expectNone(faults: readonly string[]): void {
  expect(faults.join('\n')).toBe('')
}

test('the table of who may know whom goes one way', () => {
  const folders = Object.keys(KNOWS)
  for (const [at, folder] of folders.entries()) {
    for (const known of KNOWS[folder]!)
      expect(folders.slice(0, at), `${folder} knows ${known}`).toContain(known)
  }
})

test('imports follow the table', () => {
  expectNone(
    running.flatMap(source => {
      const folder = folderOf(source.path)
      const known = KNOWS[folder]
      if (known === undefined) return [`${source.path}: ${folder} is not in the table of test/tidy.test.ts`]
      return importsOf(source.text).flatMap(({ specifier, line, typeOnly }) => {
        const target = targetOf(source, specifier)
        if (target === null || target === 'package.json') return []
        // The command runs the benchmarks and the simulation, which are no part of the program.
        if (source.path === 'src/main.ts' && ['bench/main.ts', 'simulation/main.ts'].includes(target))
          return []
        if (!target.startsWith('src/')) return [`${source.path}:${line}: src may not import ${target}`]
        const other = folderOf(target)
        if (other === folder || known.includes(other)) return []
        if (typeOnly && KNOWS_TYPES_OF[folder]?.includes(other)) return []
        return [`${source.path}:${line}: ${folder} may not know ${other} (${target})`]
      })
    }),
  )
})

test('files do not import each other in a circle, types neither', () => {
  const imports = new Map(
    sources.map(source => [
      source.path,
      importsOf(source.text)
        .map(({ specifier }) => targetOf(source, specifier))
        .filter(target => target !== null),
    ]),
  )
  const done = new Set<string>()
  const way: string[] = []
  const circles: string[] = []
  const visit = (path: string) => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(' -> '))
    if (done.has(path) || way.includes(path)) return
    way.push(path)
    for (const target of imports.get(path) ?? []) visit(target)
    way.pop()
    done.add(path)
  }
  for (const path of imports.keys()) visit(path)
  expectNone(circles)
})

test('only src/config.ts reads the environment', () => {
  expectNone(
    running
      .filter(source => source.path !== ENVIRONMENT_READER)
      .flatMap(source =>
        matches(
          source,
          source.code,
          /\b(?:process|Bun|import\.meta)\??\.env\b/g,
          `only ${ENVIRONMENT_READER} reads the environment`,
        ),
      ),
  )
})

test('Bun is known to adapters, http and wiring only', () => {
  const rule = `Bun belongs in ${BUN_FOLDERS.join(', ')}`
  expectNone(
    running
      .filter(source => !BUN_FOLDERS.includes(folderOf(source.path)))
      .flatMap(source => [
        ...matches(source, source.code, /\bBun\s*[.[]/g, rule),
        ...importsOf(source.text)
          .filter(({ specifier }) => /^bun(?::|$)/.test(specifier))
          .map(({ specifier, line }) => `${source.path}:${line}: ${rule} (${specifier})`),
      ]),
  )
})

test(`no file is longer than ${LINES_MAX} lines`, () => {
  expectNone(
    sources
      .filter(source => !LONG_TABLES.includes(source.path))
      .map(source => ({ path: source.path, lines: source.text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > LINES_MAX)
      .map(({ path, lines }) => `${path}: ${lines} lines, at most ${LINES_MAX}: it has more than one idea`),
  )
})

test('no type is any', () => {
  const anyType = /(?:[:<|&,(=]|=>|\bas|\bextends|\bsatisfies)\s*any\b(?!\s*[(:.?'"])/g
  expectNone(
    sources.flatMap(source =>
      // Answers of a server under test have any shape: a test says what it expects of them.
      source.path === 'test/e2e/installation.ts'
        ? []
        : matches(source, source.code, anyType, 'any lets go of types: say unknown, or parse'),
    ),
  )
})

test('nothing is left to do', () => {
  expectNone(
    sources.flatMap(source =>
      matches(source, source.text, /\b(?:TO[D]O|FIX[M]E)\b/g, 'do it, or open an issue'),
    ),
  )
})
