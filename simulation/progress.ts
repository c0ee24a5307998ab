/** A line that updates on a terminal, a plain line now and then elsewhere. On stderr: stdout has the figures alone. */
export class Progress {
  private saidAt = performance.now()
  private wide = 0

  constructor(
    private readonly terminal: boolean = process.stderr.isTTY === true,
    private readonly write: (text: string) => void = text => process.stderr.write(text),
  ) {}

  say(text: string): void {
    const now = performance.now()
    if (now - this.saidAt < (this.terminal ? REDRAW_MS : LINE_MS)) return
    this.saidAt = now
    if (this.terminal) {
      this.write(`\r${text.padEnd(this.wide)}`)
      this.wide = text.length
    } else this.write(`${text}\n`)
  }

  /** Takes the line away. */
  end(): void {
    if (this.terminal && this.wide > 0) this.write(`\r${' '.repeat(this.wide)}\r`)
    this.wide = 0
  }
}

const REDRAW_MS = 100
const LINE_MS = 10_000
