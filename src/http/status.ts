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
}
