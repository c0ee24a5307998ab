import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HOST } from './ports.ts'
import type { SeededPlacement } from './seed.ts'

export interface PublisherPage {
  readonly url: string
  close(): Promise<void>
}

/** A page of a publisher, on an origin of its own, with the tag as a publisher would write it. */
export async function servePublisherPage(
  farthingUrl: string,
  placements: readonly SeededPlacement[],
  port: number,
): Promise<PublisherPage> {
  const html = pageOf(farthingUrl, placements)
  const server = createServer((request, answer) => {
    const isPage = request.url === '/' || request.url?.startsWith('/?') === true
    answer.writeHead(isPage ? 200 : 404, {
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
    })
    answer.end(isPage ? html : 'There is nothing at this path.')
  })
  const listening = Promise.withResolvers<void>()
  server.once('error', listening.reject)
  server.listen(port, HOST, listening.resolve)
  await listening.promise
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://${HOST}:${taken}/`,
    close: () => {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

function pageOf(farthingUrl: string, placements: readonly SeededPlacement[]): string {
  const slot = (w: number, h: number) => {
    const placement = placements.find(each => each.w === w && each.h === h)
    return placement === undefined ? '' : `<ins class="farthing" data-placement="${placement.id}"></ins>`
  }
  const story =
    'The ads on this page come from Farthing, through its tag, each in a frame of its own. Reload for others; click one, ' +
    'and the next second has it charged. They never learn more of the page than its address.'
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>The Daily Meridian</title>
<style>
  :root { color-scheme: light dark }
  body { font: 17px/1.6 Georgia, serif; margin: 0 auto; max-width: 60rem; padding: 1rem }
  h1 { text-align: center; border-bottom: 3px double; padding-bottom: .5rem }
  .top { min-height: 90px; text-align: center; overflow-x: auto }
  article { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 1.5rem; align-items: start }
  pre { font-size: 13px; overflow-x: auto; border: 1px solid #8886; border-radius: 6px; padding: .75rem }
  @media (max-width: 40rem) { article { grid-template-columns: minmax(0, 1fr) } }
</style>
<script src="${farthingUrl}/tag.js" async></script></head>
<body>
<h1>The Daily Meridian</h1>
<div class="top">${slot(728, 90)}</div>
<article><div><h2>An ad in its place</h2><p>${story}</p>
<p>What a publisher writes:</p>
<pre>&lt;script src="${farthingUrl}/tag.js" async&gt;&lt;/script&gt;
${slot(300, 250).replaceAll('<', '&lt;')}</pre></div>
<aside>${slot(300, 250)}</aside></article>
</body></html>`
}
