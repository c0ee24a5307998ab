/** What an auction looks at of a bid request, as openrtb/object-reader.ts makes it. */
import type { Wanted } from './object-reader.ts'

const publisher: Wanted = { fields: ['id'], make: (v, at) => ({ id: v[at] }) }

const site: Wanted = {
  fields: ['domain', 'page', 'cat', 'sectioncat', 'pagecat', 'publisher'],
  make: (v, at) => ({
    domain: v[at],
    page: v[at + 1],
    cat: v[at + 2],
    sectioncat: v[at + 3],
    pagecat: v[at + 4],
    publisher: v[at + 5],
  }),
  inner: { publisher },
}

const app: Wanted = {
  fields: ['domain', 'bundle', 'cat', 'sectioncat', 'pagecat', 'publisher'],
  make: (v, at) => ({
    domain: v[at],
    bundle: v[at + 1],
    cat: v[at + 2],
    sectioncat: v[at + 3],
    pagecat: v[at + 4],
    publisher: v[at + 5],
  }),
  inner: { publisher },
}

const geo: Wanted = {
  fields: ['country', 'region'],
  make: (v, at) => ({ country: v[at], region: v[at + 1] }),
}

const device: Wanted = {
  fields: ['ua', 'ip', 'ipv6', 'devicetype', 'ifa', 'geo'],
  make: (v, at) => ({
    ua: v[at],
    ip: v[at + 1],
    ipv6: v[at + 2],
    devicetype: v[at + 3],
    ifa: v[at + 4],
    geo: v[at + 5],
  }),
  inner: { geo },
}

const segment: Wanted = { fields: ['id'], make: (v, at) => ({ id: v[at] }) }
const dataProvider: Wanted = {
  fields: ['segment'],
  make: (v, at) => ({ segment: v[at] }),
  inner: { segment },
}
const user: Wanted = {
  fields: ['id', 'data'],
  make: (v, at) => ({ id: v[at], data: v[at + 1] }),
  inner: { data: dataProvider },
}

/** The ratios, too: a rule of the shape asks for them. */
const format: Wanted = {
  fields: ['w', 'h', 'wratio', 'hratio'],
  make: (v, at) => ({ w: v[at], h: v[at + 1], wratio: v[at + 2], hratio: v[at + 3] }),
}
const banner: Wanted = {
  fields: ['format', 'w', 'h', 'battr'],
  make: (v, at) => ({ format: v[at], w: v[at + 1], h: v[at + 2], battr: v[at + 3] }),
  inner: { format },
}

/** What is no banner, and deals, are parsed as they are: few have them, and there are many fields in them. */
const imp: Wanted = {
  fields: ['id', 'banner', 'tagid', 'bidfloor', 'bidfloorcur', 'secure', 'pmp', 'video', 'audio', 'native'],
  make: (v, at) => ({
    id: v[at],
    banner: v[at + 1],
    tagid: v[at + 2],
    bidfloor: v[at + 3],
    bidfloorcur: v[at + 4],
    secure: v[at + 5],
    pmp: v[at + 6],
    video: v[at + 7],
    audio: v[at + 8],
    native: v[at + 9],
  }),
  inner: { banner },
}

export const wantedOfBidRequest: Wanted = {
  fields: [
    'id',
    'imp',
    'site',
    'app',
    'dooh',
    'device',
    'user',
    'test',
    'at',
    'wseat',
    'bseat',
    'cur',
    'acat',
    'bcat',
    'badv',
    'bapp',
  ],
  make: (v, at) => ({
    id: v[at],
    imp: v[at + 1],
    site: v[at + 2],
    app: v[at + 3],
    dooh: v[at + 4],
    device: v[at + 5],
    user: v[at + 6],
    test: v[at + 7],
    at: v[at + 8],
    wseat: v[at + 9],
    bseat: v[at + 10],
    cur: v[at + 11],
    acat: v[at + 12],
    bcat: v[at + 13],
    badv: v[at + 14],
    bapp: v[at + 15],
  }),
  inner: { imp, site, app, device, user },
}
