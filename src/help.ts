/** What `./farthing COMMAND --help` prints: what it does, what it takes, an example that can be pasted. */
const HELP = {
  serve: `farthing serve: everything in one process, its files in one folder

  --host 127.0.0.1              where to listen; 0.0.0.0 for all addresses
  --port 8080                   0 takes a free one
  --data ./data                 where the log, the books and the keys are; made if it is not there
  --public-url URL              how browsers reach this server, for the links in ads (default: host and port)
  --trusted-proxies CIDR,CIDR   whose X-Forwarded-For is believed (default: loopback)
  --data-centres FILE           addresses from which people do not browse, one CIDR a line
  --geo FILE.mmdb               countries by address, in place of the table that ships
  --hold-ms 60000               how long a click waits for its impression

  FARTHING_ADMIN_KEY            an admin's key; without it one is made at the first start and printed once
  FARTHING_CLOCK_OFFSET_MS      shifts the clock, for tests

Example: ./farthing serve --port 8080 --data ./data
`,
  demo: `farthing demo: made-up advertisers, campaigns and readers, all over HTTP, until Ctrl-C

  --port 8080   where to serve; a free port where this one is taken
  --data DIR    keeps the books there, and goes on with them at the next start;
                by default a temporary folder, deleted at the end

Example: ./farthing demo --port 8080      (the same as: npm start -- --port 8080)
`,
  verify: `farthing verify: goes through the ledger of a stopped installation

  --data DIR   its folder

Prints what it found as JSON; ends with 0 only if every chain, sum and root holds.

Example: ./farthing verify --data ./data
`,
  rebuild: `farthing rebuild: decides the whole log of a stopped installation again, and compares the tables

  --data DIR   its folder; nothing in it is changed

Prints what differs as JSON; ends with 0 only if nothing does.

Example: ./farthing rebuild --data ./data
`,
  keys: `farthing keys rotate: tokens of a stopped installation are signed with a new key from its next start on

  --data DIR   its folder

Links that are out go on working.

Example: ./farthing keys rotate --data ./data
`,
  bench: `farthing bench: measures this checkout, each figure beside its limit

  --short       in minutes, with fewer campaigns and events
  --strict      exits 1 where a goal is missed; they are listed at the end with and without it
  --json FILE   writes the figures there, too

A real server with 100,000 campaigns made over its API, by itself, in minutes: npx bun bench/whole-server.ts

Example: ./farthing bench --short
`,
  simulate: `farthing simulate: many nodes spend the same budgets in a simulated world in which much goes wrong

  --scenario NAME   which; all runs each
  --list            says which there are
  --seed 1          one seed, one run, the same to the byte
  --seeds 1         so many seeds from there on, over the cores of the machine
  --short           each scenario small, in half a second: for many seeds
  --json            prints the figures as one object
  --html FILE       writes a page to look at
  --strict          a missed goal fails, too
  --compare         a table of what other ways of keeping budgets come to; of some scenarios where none is named
  --nodes N, --campaigns N, --regions N, --hours H, --requests PER_SECOND
                    in place of the scenario's own; requests are of each node

Runs the production code of the budgets in virtual time, and an auditor beside it. Ends with 1 at the first breach, after
the seed, the shortest history that was found, and a command line that shows it again.

Example: ./farthing simulate --scenario region-cut --seed 7 --html region-cut.html
         ./farthing simulate --compare --scenario small-budgets --seeds 4
`,
} as const

export type Command = keyof typeof HELP

export const OVERVIEW = `farthing: a self-hosted real-time advertising platform

  ./farthing demo      shows it at work: seeds campaigns and sends traffic
  ./farthing serve     runs it
  ./farthing verify    checks the books of a stopped installation
  ./farthing rebuild   makes its tables anew from the log, and compares
  ./farthing keys      rotates the keys that sign links
  ./farthing bench     measures a checkout
  ./farthing simulate  proves the budgets over simulated regions, nodes and faults

'./farthing COMMAND --help' lists what a command takes, './farthing --version' says which this is.

Example: ./farthing serve --port 8080 --data ./data
`

export function isCommand(name: string | undefined): name is Command {
  return name !== undefined && Object.hasOwn(HELP, name)
}

export function helpOf(command: Command): string {
  return HELP[command]
}
