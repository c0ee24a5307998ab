const PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Farthing</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1c2733; background: #f7f7f4 }
  h1 { font-size: 1.4rem } .grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem }
  .figure { background: #fff; border: 1px solid #dddcd5; border-radius: 6px; padding: .8rem 1rem }
  .figure b { display: block; font-size: 1.6rem; font-variant-numeric: tabular-nums } .figure span { color: #5b6672 }
  #problem { color: #a32020 } canvas { width: 100%; height: 160px; background: #fff; border: 1px solid #dddcd5; border-radius: 6px }
</style></head><body>
<h1>Farthing</h1><p>What this installation has done since its start. <a href="/docs">API</a></p><p id="problem"></p>
<div class="grid" id="figures"></div><h2>Charged a second</h2><canvas id="chart" width="1200" height="320"></canvas>
<script>
  const names = { requests: 'requests', bids: 'ads chosen', impressions: 'impressions', clicks: 'clicks', charged: 'charged',
    forged: 'forged', robotsRefused: 'robots refused', ingested: 'events ingested', lost: 'not recorded', lagMs: 'lag, ms' }
  const perSecond = []; let last = null
  async function refresh() {
    const state = await (await fetch('/live.json')).json()
    const values = { ...state.counters, charged: state.charged, lagMs: state.lagMs }
    document.getElementById('problem').textContent = state.problem ?? ''
    document.getElementById('figures').innerHTML = Object.keys(names).map(name =>
      '<div class="figure"><b>' + Number(values[name]).toLocaleString('en') + '</b><span>' + names[name] + '</span></div>').join('')
    if (last !== null) perSecond.push(values.charged - last)
    last = values.charged; if (perSecond.length > 120) perSecond.shift(); draw()
  }
  function draw() {
    const canvas = document.getElementById('chart'), pen = canvas.getContext('2d'), most = Math.max(1, ...perSecond)
    pen.clearRect(0, 0, canvas.width, canvas.height); pen.fillStyle = '#2f6f5e'
    perSecond.forEach((value, i) => pen.fillRect(i * 10, canvas.height - value / most * 300, 8, value / most * 300))
  }
  refresh(); setInterval(refresh, 1000)
</script></body></html>`

/** What happens, live, for whoever started it. */
export function livePage(): Response {
  return new Response(PAGE, { headers: { 'Content-Type': 'text/html; charset=utf-8' } })
}
