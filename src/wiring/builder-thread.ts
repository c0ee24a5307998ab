/** The builder's thread: holds the campaigns as objects, and lays out what edges search. */
import { CatalogBuilder } from '../campaigns/catalog.ts'
import type { SharedColumns } from '../campaigns/catalog-columns.ts'
import type { CatalogSnapshot } from '../campaigns/catalog-layout.ts'
import type { ToBuilder } from './decider-messages.ts'

export type OpenBuilder = {
  readonly kind: 'open'
  readonly columns: SharedColumns
  readonly clockOffsetMs: number
  readonly decider: MessagePort
}
export type FromBuilder = { readonly kind: 'snapshot'; readonly snapshot: CatalogSnapshot }

declare const self: {
  onmessage: (event: MessageEvent<OpenBuilder>) => void
  postMessage(message: FromBuilder): void
}

/** Changes that come within this time are laid out together. */
const BUILD_MS = 50
const REFRESH_MS = 1000

self.onmessage = ({ data }) => {
  const builder = new CatalogBuilder(data.columns)
  const now = () => Date.now() + data.clockOffsetMs
  data.decider.onmessage = ({ data: message }: MessageEvent<ToBuilder>) =>
    builder.apply(message.changes, now())
  setInterval(() => builder.refresh(now()), REFRESH_MS)
  setInterval(() => {
    const snapshot = builder.build(now())
    if (snapshot !== null) self.postMessage({ kind: 'snapshot', snapshot })
  }, BUILD_MS)
}
