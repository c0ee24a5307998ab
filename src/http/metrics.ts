import type { Counters } from './edge/counters.ts'
import type { Status } from './status.ts'

/** Prometheus text format 0.0.4. */
export function metricsText(counters: Counters, status: Status): string {
  const lines = Object.entries(counters.values).flatMap(([name, value]) => {
    const metric = `farthing_${name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)}_total`
    return [`# TYPE ${metric} counter`, `${metric} ${value}`]
  })
  return [
    ...lines,
    '# TYPE farthing_records_decided_total counter',
    `farthing_records_decided_total ${status.decided}`,
    '# TYPE farthing_charged_total counter',
    `farthing_charged_total ${status.charged}`,
    '# TYPE farthing_decision_lag_seconds gauge',
    `farthing_decision_lag_seconds ${status.lagMs / 1000}`,
    '# TYPE farthing_recording gauge',
    `farthing_recording ${status.recording ? 1 : 0}`,
    '',
  ].join('\n')
}
