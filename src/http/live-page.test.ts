import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { livePage } from './live-page.ts'

test('the page needs nothing from outside, and its policy lets its own script run and no other', async () => {
  const page = await livePage()
  const html = await page.text()
  const [, script] = /<script type="module">(.*)<\/script>/s.exec(html)!
  expect(script).toContain('/live.json?after=')
  expect(script).not.toMatch(/^import |<\/script/m)
  const policy = page.headers.get('content-security-policy')!
  expect(policy).toContain(`script-src 'sha256-${createHash('sha256').update(script!).digest('base64')}'`)
  expect(policy).toContain("default-src 'none'")
  expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
  expect(html).not.toMatch(/\/\*(?:STYLE|SCRIPT)\*\//)
})
