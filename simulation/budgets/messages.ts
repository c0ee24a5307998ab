import type { ShardGrant, ShardReport } from '../../src/budgets/shard-messages.ts'

/** From a worker to the home: one message for many campaigns. */
export interface FromWorker {
  /** The home's answer names it; 0 where nothing is reported. */
  readonly number: number
  readonly reports: readonly ShardReport[]
  /** Numbers of what the home has said unasked, and was heard. */
  readonly heard: readonly number[]
}

/** From the home to a worker. */
export interface FromHome {
  /** Counts the home's messages to the worker. */
  readonly sequence: number
  /** Of the reports that it answers; 0 where nobody asked. */
  readonly answers: number
  /** Said unasked, to be named among what was heard; 0 where it answers. */
  readonly number: number
  readonly grants: readonly ShardGrant[]
}
