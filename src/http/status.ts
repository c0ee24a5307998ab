/** How the installation does, as health, metrics and the page show it. */
export interface Status {
  ready: boolean
  /** False once events cannot be kept. */
  recording: boolean
  problem: string | null
  /** Age of the newest record at its decision. */
  lagMs: number
  decided: number
  charged: number
  /** Events that are not billed, by reason. */
  readonly refused: Record<string, number>
  /** Events that had been seen before: billed once, if at all. */
  repeated: number
}

export function newStatus(): Status {
  return {
    ready: false,
    recording: true,
    problem: null,
    lagMs: 0,
    decided: 0,
    charged: 0,
    refused: {},
    repeated: 0,
  }
}
