import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

let page: Promise<Page> | null = null

interface Page {
  readonly html: string
  readonly policy: string
}

/** What happens, live, for whoever started it: src/console/live.*, put together at the first request for it. */
export async function livePage(): Promise<Response> {
  page ??= assemble()
  const { html, policy } = await page
  return new Response(html, {
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': policy,
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-cache',
    },
  })
}

async function assemble(): Promise<Page> {
  const built = await Bun.build({ entrypoints: [pathOf('live.ts')], target: 'browser', format: 'esm' })
  const script = await built.outputs[0]!.text()
  const style = readFileSync(pathOf('live.css'), 'utf8')
  const html = readFileSync(pathOf('live.html'), 'utf8')
    .replace('/*STYLE*/', () => style)
    .replace('/*SCRIPT*/', () => script)
  const inline = html.slice(html.indexOf(SCRIPT_TAG) + SCRIPT_TAG.length, html.lastIndexOf('</script>'))
  const hash = createHash('sha256').update(inline).digest('base64')
  return {
    html,
    // Only this script, and only this server: a name of an account that was markup would do nothing.
    policy:
      `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; ` +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  }
}

const SCRIPT_TAG = '<script type="module">'

function pathOf(file: string): string {
  return fileURLToPath(new URL(`../console/${file}`, import.meta.url))
}
