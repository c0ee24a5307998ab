import { expect, test } from 'bun:test'
import { readServeOptions, UsageError } from './config.ts'

const REFUSED: readonly [args: readonly string[], said: string][] = [
  [['--port', '65536'], '--port must be a whole number from 0 to 65535, not 65536.'],
  [['--port=-1'], '--port must be a whole number from 0 to 65535, not -1.'],
  [['--port', '80.5'], '--port must be a whole number from 0 to 65535, not 80.5.'],
  [['--port', 'http'], '--port must be a whole number from 0 to 65535, not http.'],
  [['--hold-ms', '99'], '--hold-ms must be a whole number from 100 to 3600000, not 99.'],
  [['--hold-ms', '3600001'], '--hold-ms must be a whole number from 100 to 3600000, not 3600001.'],
  [['--port'], '--port needs a value.'],
  [['--data='], '--data needs a value.'],
  [['--data', ''], '--data needs a value.'],
  [['--prot', '1'], 'There is no option --prot.'],
  [['serve'], 'There is no option serve.'],
  [['--public-url', 'ads.example.com'], '--public-url must be an address'],
  [['--public-url', 'ftp://ads.example.com'], '--public-url must be an address'],
]
test.each(REFUSED)('%p is refused', (args, said) => {
  const read = () => readServeOptions(args)
  expect(read).toThrow(UsageError)
  expect(read).toThrow(said)
})

test('what is within the bounds is taken, in both forms; the last of an option holds', () => {
  const most = readServeOptions([
    '--port',
    '65535',
    '--hold-ms=3600000',
    '--public-url',
    'https://a.example/',
  ])
  expect(most).toMatchObject({ port: 65_535, holdMs: 3_600_000, publicUrl: 'https://a.example' })
  const least = readServeOptions(['--port=1', '--port=0', '--hold-ms', '100', '--data', 'a=b'])
  expect(least).toMatchObject({ port: 0, holdMs: 100, data: 'a=b', publicUrl: null })
})
