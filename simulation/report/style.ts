/** Light and dark, by what the reader's system says; columns as wide as there is room for. */
export const STYLE = `
:root { color-scheme: light dark; --paper: #f9f9f7; --card: #fcfcfb; --ink: #0b0b0b; --soft: #52514e; --faint: #7a7873; --grid: #e1e0d9; --edge: rgba(11,11,11,.1); --a: #2a78d6; --b: #e0561f; --c: #1baf7a; --good: #0b7a0b; --bad: #c22f2f }
@media (prefers-color-scheme: dark) { :root { --paper: #0d0d0d; --card: #1a1a19; --ink: #fff; --soft: #c3c2b7; --faint: #94928a; --grid: #2e2e2c; --edge: rgba(255,255,255,.1); --a: #3987e5; --b: #e0632f; --c: #199e70; --good: #3fbf3f; --bad: #ef6a6a } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 1180px; margin: 0 auto; padding: 28px 16px 48px }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px } h2 { font-size: 20px; margin: 40px 0 4px } h3 { font-size: 15px; margin: 26px 0 8px }
p { margin: 0 0 12px; color: var(--soft); max-width: 72ch }
.verdict { display: inline-block; margin: 12px 0 8px; padding: 5px 12px; border-radius: 6px; border: 1px solid currentColor; font-weight: 600 } .good { color: var(--good) } .bad { color: var(--bad) }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(158px, 1fr)); gap: 10px; margin: 14px 0 }
.tile, figure, .box { background: var(--card); border: 1px solid var(--edge); border-radius: 8px }
.tile { padding: 10px 14px } .tile b { display: block; font-size: 22px; line-height: 1.3 } .tile span { display: block; color: var(--soft); font-size: 13px } .tile small { color: var(--faint); font-size: 12px } .tile small.bad { color: var(--bad); font-weight: 600 }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(330px, 100%), 1fr)); gap: 12px }
figure { margin: 0; padding: 12px 12px 6px; display: flex; flex-direction: column } figcaption { min-height: 64px } figcaption b, figcaption small { display: block } figcaption small { color: var(--faint); line-height: 1.35 }
svg { width: 100%; height: auto; display: block; margin-top: auto; overflow: visible }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 12px; color: var(--soft); margin-top: 4px } .legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin-right: 6px; vertical-align: middle; background: currentColor }
i.a { color: var(--a) } i.b { color: var(--b) } i.c { color: var(--c) } i.plan { color: var(--faint) }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; vector-effect: non-scaling-stroke } .line.a { stroke: var(--a) } .line.b { stroke: var(--b) } .line.c { stroke: var(--c) } .line.plan { stroke: var(--faint); stroke-dasharray: 5 4; stroke-width: 1.5 }
.fill.a { fill: var(--a) } .fill.b { fill: var(--b) } .fill.c { fill: var(--c) } polygon.fill { fill-opacity: .75; stroke: var(--card); stroke-width: .5 }
.grid { stroke: var(--grid) } .tick { fill: var(--faint); font-size: 11px; font-variant-numeric: tabular-nums } .value { fill: var(--soft); font-size: 11px; text-anchor: middle } .end { text-anchor: end } .middle { text-anchor: middle }
.hover { fill: var(--ink); fill-opacity: 0 } .hover:hover { fill-opacity: .08 }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px; width: 100% } th { text-align: right; font-weight: 500; color: var(--soft); padding: 7px 10px; border-bottom: 1px solid var(--edge); vertical-align: bottom } td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--grid); font-variant-numeric: tabular-nums; white-space: nowrap } th:first-child, td:first-child { text-align: left } td small { display: block; color: var(--faint); font-size: 11px } tr:last-child td { border-bottom: 0 }
.left td, .left th { text-align: left; white-space: normal }
.box { padding: 14px 16px; margin: 12px 0 } pre { margin: 8px 0 0; overflow-x: auto; font-size: 12px; line-height: 1.5 } code { font-size: 13px; overflow-wrap: anywhere }
`
