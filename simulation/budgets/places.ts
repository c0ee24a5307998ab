/** Whoever sends and receives: the home, a worker of a region, or a node. */
export interface Place {
  readonly region: number
  readonly kind: 'home' | 'worker' | 'node'
}

/** A worker by its name: what messages, tokens and the auditor's books say of it. */
export interface WorkerPlace extends Place {
  readonly kind: 'worker'
  /** Of the workers of its region. */
  readonly index: number
  readonly shardNumber: number
}

/** A node by its name, and whether anything reaches it. */
export interface NodePlace extends Place {
  readonly kind: 'node'
  readonly boot: number
  /** No message passes, in or out. */
  readonly cutOff: boolean
}
