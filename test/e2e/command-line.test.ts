import { expect, test } from 'bun:test'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { version } from '../../package.json' with { type: 'json' }
import { COMMAND, runFarthing } from './installation.ts'

const COMMANDS = ['demo', 'serve', 'verify', 'rebuild', 'keys', 'bench', 'simulate']

test('--version is that of the package', async () => {
  expect(await runFarthing(['--version'])).toMatchObject({ code: 0, output: `farthing ${version}\n` })
})

test('--help names each command, and each has help with an example', async () => {
  const overview = await runFarthing(['--help'])
  expect(overview.code).toBe(0)
  const helps = await Promise.all(COMMANDS.map(command => runFarthing([command, '--help'])))
  for (const [i, { code, output }] of helps.entries()) {
    expect(overview.output).toContain(`./farthing ${COMMANDS[i]}`)
    expect([code, output.includes(`Example: ./farthing ${COMMANDS[i]}`)]).toEqual([0, true])
  }
})

test.each([
  ['an unknown command', ['sevre'], "There is no command sevre.\nSee './farthing --help'."],
  ['an unknown option', ['serve', '--prot', '1'], 'There is no option --prot.'],
  ['an option without its value', ['verify', '--data'], '--data needs a value.'],
  ['a folder that holds no books', ['rebuild', '--data', '/nowhere'], 'holds no books of Farthing'],
])('%s ends with 2, and says where to look', async (_name, args, said) => {
  const { code, output } = await runFarthing(args)
  expect(code).toBe(2)
  expect(output).toContain(said)
  expect(output).toContain('--help')
})

test('free memory is kept for a second, or as long as the environment says', async () => {
  const root = mkdtempSync(join(tmpdir(), 'farthing-command-'))
  try {
    cpSync(COMMAND, join(root, 'farthing'))
    const runtime = join(root, 'node_modules/bun/bin')
    mkdirSync(runtime, { recursive: true })
    writeFileSync(join(runtime, 'bun.exe'), '#!/bin/sh\necho "$MIMALLOC_PURGE_DELAY"\n')
    chmodSync(join(runtime, 'bun.exe'), 0o755)
    const delayIn = async (env: Record<string, string>) =>
      (await Bun.$`${join(root, 'farthing')}`.env({ PATH: process.env['PATH'], ...env }).text()).trim()
    expect(await delayIn({})).toBe('1000')
    expect(await delayIn({ MIMALLOC_PURGE_DELAY: '10' })).toBe('10')
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
