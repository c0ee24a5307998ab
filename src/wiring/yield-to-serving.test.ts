import { expect, test } from 'bun:test'
import { getPriority } from 'node:os'

const MODULE = new URL('./yield-to-serving.ts', import.meta.url).href

test.if(process.platform === 'linux')(
  'a thread that yields has a lower priority than those beside it',
  async () => {
    const before = getPriority()
    const source = `
    import { readlinkSync } from 'node:fs'
    import { getPriority } from 'node:os'
    import { yieldToServing } from ${JSON.stringify(MODULE)}
    yieldToServing()
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    postMessage(getPriority(thread))`
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
    const thread = new Worker(url)
    try {
      const priority = await new Promise<number>((resolve, reject) => {
        thread.onmessage = ({ data }: MessageEvent<number>) => resolve(data)
        thread.onerror = ({ message }) => reject(new Error(message))
      })
      expect(priority).toBeGreaterThan(before)
      expect(getPriority()).toBe(before)
    } finally {
      thread.terminate()
      URL.revokeObjectURL(url)
    }
  },
)
