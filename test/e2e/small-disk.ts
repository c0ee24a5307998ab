import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BALLAST_BYTES_MAX = 128 << 20

/**
 * A folder that can be made full, and have room again: a small file system in memory where root may mount one; else
 * the process that writes there is kept from making any file longer (its writes fail with EFBIG in place of ENOSPC).
 */
export class SmallDisk {
  readonly path = mkdtempSync(join(tmpdir(), 'farthing-disk-'))
  private readonly mounted: boolean
  private limited: number | null = null

  constructor(megabytes: number) {
    const size = `size=${megabytes}m`
    this.mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', this.path]).status === 0
  }

  /** Nothing more can be written by the process `pid`. */
  fill(pid: number): void {
    if (this.mounted) this.addBallast()
    else
      this.limit(pid, Math.max(...readdirSync(this.path).map(name => statSync(join(this.path, name)).size)))
  }

  empty(): void {
    if (this.mounted) rmSync(join(this.path, 'ballast'), { force: true })
    else if (this.limited !== null) this.limit(this.limited, 'unlimited')
    this.limited = null
  }

  remove(): void {
    if (this.mounted) spawnSync('umount', ['-l', this.path])
    rmSync(this.path, { recursive: true, force: true })
  }

  private addBallast(): void {
    const file = openSync(join(this.path, 'ballast'), 'w')
    try {
      for (let bytes = 64 << 10, written = 0; bytes > 0 && written < BALLAST_BYTES_MAX; ) {
        try {
          written += writeSync(file, Buffer.alloc(bytes))
        } catch {
          bytes >>= 1
        }
      }
    } finally {
      closeSync(file)
    }
  }

  private limit(pid: number, bytes: number | string): void {
    const done = spawnSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`])
    if (done.status !== 0) throw new Error(`prlimit: ${done.stderr}`)
    this.limited = pid
  }
}
