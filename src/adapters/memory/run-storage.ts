import type { RunMeta, RunStorage } from '../../ports/run-storage.ts'

/** Runs in memory, copied in, so that what a caller does to its buffers later is not seen. */
export class MemoryRunStorage implements RunStorage {
  private readonly runs = new Map<number, { meta: RunMeta; chunks: Uint8Array[] }>()
  private pending: Uint8Array[] = []

  putRun(id: number, meta: RunMeta, chunks: readonly Uint8Array[]): void {
    if (this.runs.has(id)) throw new Error(`run ${id} is there already`)
    this.runs.set(id, {
      meta: { ...meta, filter: meta.filter.slice(), firstKeys: meta.firstKeys.slice() },
      chunks: chunks.map(chunk => chunk.slice()),
    })
  }

  readChunk(id: number, index: number): Uint8Array {
    const chunk = this.runs.get(id)?.chunks[index]
    if (chunk === undefined) throw new Error(`run ${id} has no chunk ${index}`)
    return chunk
  }

  deleteRun(id: number): void {
    if (!this.runs.delete(id)) throw new Error(`there is no run ${id}`)
  }

  listRuns(): { id: number; meta: RunMeta }[] {
    return [...this.runs].map(([id, run]) => ({ id, meta: run.meta }))
  }

  appendPending(rows: Uint8Array): void {
    this.pending.push(rows.slice())
  }

  clearPending(): void {
    this.pending = []
  }

  pendingRows(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.pending))
  }
}
