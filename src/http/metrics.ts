import { Counter, Gauge, Registry } from 'prom-client'
import type { Counters } from './edge/counters.ts'
import type { Status } from './status.ts'

/** What /metrics shows. The hot path counts in plain numbers; they are read into the registry when it is asked for. */
export class Metrics {
  private readonly registry = new Registry()

  constructor(counters: Counters, status: Status) {
    for (const name of Object.keys(counters.values) as (keyof typeof counters.values)[]) {
      const metric = `farthing_${name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)}_total`
      this.counter(metric, `Edge: ${name}.`, () => counters.values[name])
    }
    this.counter(
      'farthing_records_decided_total',
      'Records of the log that were decided.',
      () => status.decided,
    )
    this.counter('farthing_charged_total', 'Events that were charged.', () => status.charged)
    this.counter('farthing_repeated_total', 'Events that had been seen before.', () => status.repeated)
    this.refused(status)
    this.gauge(
      'farthing_decision_lag_seconds',
      'Age of the newest record at its decision.',
      () => status.lagMs / 1000,
    )
    this.gauge('farthing_recording', '1 while events can be kept.', () => (status.recording ? 1 : 0))
  }

  get contentType(): string {
    return this.registry.contentType
  }

  text(): Promise<string> {
    return this.registry.metrics()
  }

  private refused({ refused }: Status): void {
    new Counter({
      name: 'farthing_refused_total',
      help: 'Events that are not billed.',
      labelNames: ['reason'],
      registers: [this.registry],
      collect() {
        this.reset()
        for (const [reason, events] of Object.entries(refused)) this.inc({ reason }, events)
      },
    })
  }

  private counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }

  private gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read())
      },
    })
  }
}
