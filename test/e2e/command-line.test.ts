import { expect, test } from 'bun:test'
import { version } from '../../package.json' with { type: 'json' }
import { runFarthing } from './installation.ts'

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
