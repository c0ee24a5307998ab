/**
 * `npm test`: runs every test but the cluster's and ends with the line `N passed, N failed`, counted by Bun.
 * `bun test/run.ts [path ...]`; `--timeout MS` is the limit of one test.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { areCaptured } from './captured-requests.ts'

const TEST_TIMEOUT_MS = 20_000
const TOTAL_TIMEOUT_MS = 15 * 60_000
const FOLDERS = ['src', 'simulation', 'test']
const TAIL_CHARS = 20_000

if (!areCaptured) console.log('The captured requests are not here: made-up ones stand in.\n')

const root = join(import.meta.dir, '..')
const { paths, timeoutMs } = parseArguments(process.argv.slice(2))

// Temporary files go to a folder of the run's own: what a test leaves there is its fault, and nobody else's.
const temporary = mkdtempSync(join(tmpdir(), 'farthing-test-'))

// A process group of its own: a test may have started servers, and they must end with the run.
const child = spawn(
  process.execPath,
  ['test', `--timeout=${timeoutMs}`, '--path-ignore-patterns=test/cluster/**', ...paths],
  {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary },
  },
)

let tail = ''
for (const [stream, out] of [
  [child.stdout, process.stdout],
  [child.stderr, process.stderr],
] as const) {
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    out.write(text)
    // Bun's summary is at the end of stderr.
    if (stream === child.stderr) tail = (tail + text).slice(-TAIL_CHARS)
  })
}

let stopped: string | null = null
const limit = setTimeout(
  () => stop(`the tests took longer than ${TOTAL_TIMEOUT_MS / 60_000} minutes`),
  TOTAL_TIMEOUT_MS,
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(`stopped by ${signal}`))

const exitCode = await new Promise<number | null>(resolve => {
  // `exit`, not `close`: a server that a test left behind may hold the pipes open.
  child.on('exit', code => setTimeout(() => resolve(code), 200))
  child.on('error', error => {
    stopped = error.message
    resolve(null)
  })
})
clearTimeout(limit)
killGroup(child)
const left = readdirSync(temporary)
rmSync(temporary, { recursive: true, force: true, maxRetries: 3 })
report(countsOf(tail), exitCode)

function report(counts: { passed: number; failed: number } | null, code: number | null): never {
  let failed = counts?.failed ?? 0
  const passed = counts?.passed ?? 0
  let fault = stopped
  if (fault === null && counts === null) fault = `bun test ended with ${code} and no summary`
  if (fault === null && passed + failed === 0) fault = 'no test ran'
  if (fault === null && code !== 0 && failed === 0) fault = `bun test ended with ${code}`
  // After a failure the rest is not to be wondered at.
  if (fault === null && failed === 0 && left.length > 0)
    fault = `tests left temporary files behind: ${left.join(', ')}`
  if (fault !== null) {
    console.error(`\n${fault}`)
    failed++
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed === 0 ? 0 : 1)
}

/**
 * From the last summary: ` 171 pass`, ` 1 fail`, ` 1 error`. A file that could not be loaded is in both of the latter,
 * an error between tests only in the last.
 */
function countsOf(output: string): { passed: number; failed: number } | null {
  const end = output.lastIndexOf('\nRan ')
  if (end < 0) return null
  const summary = /(?:\n ?\d+ [a-z() ]+)+$/.exec(withoutColours(output.slice(0, end)))
  if (summary === null) return null
  const count = (word: string) =>
    Number(new RegExp(`\\n ?(\\d+) ${word}s?(?=\\n|$)`).exec(summary[0])?.[1] ?? 0)
  return { passed: count('pass'), failed: Math.max(count('fail'), count('error')) }
}

function withoutColours(text: string): string {
  return Bun.stripANSI(text)
}

function stop(reason: string): void {
  stopped ??= reason
  killGroup(child)
}

function killGroup(process: ChildProcess): void {
  if (process.pid === undefined) return
  try {
    globalThis.process.kill(-process.pid, 'SIGKILL')
  } catch {
    // The group has ended by itself.
  }
}

function parseArguments(given: readonly string[]): { paths: string[]; timeoutMs: number } {
  const paths: string[] = []
  let timeoutMs = TEST_TIMEOUT_MS
  for (let i = 0; i < given.length; i++) {
    const argument = given[i]!
    if (argument === '--timeout') timeoutMs = Number(given[++i])
    else paths.push(argument)
  }
  if (!(timeoutMs > 0)) throw new Error('--timeout takes milliseconds')
  // With `./` it is a path for Bun, without it a pattern that any path may hold.
  if (paths.length === 0)
    paths.push(...FOLDERS.filter(folder => existsSync(join(root, folder))).map(folder => `./${folder}`))
  return { paths, timeoutMs }
}
