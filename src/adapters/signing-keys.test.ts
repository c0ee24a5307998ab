import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TOKEN_BODY_BYTES, TOKEN_BODY_VERSION } from '../records/token-body.ts'
import { TokenSigner } from '../tracking/token.ts'
import { noteAdminShown, openKeys, rotateKeys } from './signing-keys.ts'
import { nativeMac } from './signing-mac.ts'

const folders: string[] = []
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true })
})

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'farthing-keys-'))
  folders.push(path)
  return path
}

const signerOf = (path: string) => new TokenSigner(openKeys(path).signing, nativeMac)

function tokenOf(signer: TokenSigner): string {
  const body = new Uint8Array(TOKEN_BODY_BYTES)
  body[0] = TOKEN_BODY_VERSION
  body[1] = signer.newest
  return signer.sign(body)
}

test('the first start makes keys that only their owner may read; the admin key is new until it was shown', () => {
  const path = folder()
  const first = openKeys(path)
  const second = openKeys(path)
  expect([first.adminIsNew, second.adminIsNew]).toEqual([true, true])
  noteAdminShown(path)
  expect(openKeys(path)).toMatchObject({ admin: first.admin, adminIsNew: false })
  expect(second.admin).toBe(first.admin)
  expect(second.signing).toEqual(first.signing)
  expect(statSync(join(path, 'keys.json')).mode & 0o777).toBe(0o600)
  expect(openKeys(folder()).admin).not.toBe(first.admin)
})

test('after a rotation the new key signs, and links that are out still verify', () => {
  const path = folder()
  const before = signerOf(path)
  const token = tokenOf(before)
  expect(rotateKeys(path)).toBe(1)
  const after = signerOf(path)
  expect(after.newest).toBe(1)
  expect(after.open(token)).not.toBeNull()
  expect(before.open(tokenOf(after))).toBeNull()
})

test('the 257th key takes the number of the first, whose links end', () => {
  const path = folder()
  const token = tokenOf(signerOf(path))
  for (let i = 1; i <= 256; i++) expect(rotateKeys(path)).toBe(i % 256)
  const signer = signerOf(path)
  expect(signer.newest).toBe(0)
  expect(signer.open(token)).toBeNull()
  expect(openKeys(path).signing).toHaveLength(256)
})
