/**
 * The table of fields of an OpenRTB 2.6 bid request that we check, by section of the standard, innermost first. A
 * field that is not here passes unread. A null is not an absence: the standard has no null.
 */
import {
  addFault,
  type Faults,
  type Field,
  flag,
  integer,
  letters,
  list,
  number,
  object,
  price,
  required,
  type Shape,
  shape,
  text,
} from './check.ts'
import {
  ASSETS_MAX,
  BLOCK_LIST_LENGTH_MAX,
  ID_LENGTH_MAX,
  IMPS_MAX,
  INTEGER_MAX,
  LONG_TEXT_LENGTH_MAX,
} from './limits.ts'

const id = () => text(ID_LENGTH_MAX)
const requiredId = () => required(text(ID_LENGTH_MAX, 1))
const longText = () => text(LONG_TEXT_LENGTH_MAX)
const texts = () => list(text())
const blockList = () => list(text(), BLOCK_LIST_LENGTH_MAX)
const integers = () => list(integer())
const pixels = () => integer(1)
const ext = object()

type RawObject = Readonly<Record<string, unknown>>

// 3.2.21 Data, 3.2.22 Segment
const segment = shape({ id: id(), name: text(), value: text(), ext })
const dataProvider = shape({ id: id(), name: text(), segment: list(object(segment)), ext })

// 3.2.19 Geo
const geo = shape({
  lat: number(-90, 90),
  lon: number(-180, 180),
  type: integer(),
  accuracy: integer(),
  lastfix: integer(),
  ipservice: integer(),
  country: letters(3),
  region: text(),
  metro: text(),
  city: text(),
  zip: text(),
  utcoffset: integer(-1_440, 1_440),
  ext,
})

// 3.2.18 Device
const device = shape({
  geo: object(geo),
  dnt: flag(),
  lmt: flag(),
  ua: text(),
  sua: object(),
  ip: text(),
  ipv6: text(),
  devicetype: integer(),
  make: text(),
  model: text(),
  os: text(),
  osv: text(),
  h: integer(),
  w: integer(),
  js: flag(),
  language: text(),
  langb: text(),
  carrier: text(),
  connectiontype: integer(),
  ifa: text(),
  ext,
})

// 3.2.20 User, 3.2.27 EID, 3.2.28 UID
const uid = shape({ id: text(), atype: integer(), ext })
const eid = shape({ source: text(), uids: list(object(uid)), ext })
const user = shape({
  id: text(),
  buyeruid: text(),
  keywords: longText(),
  kwarray: texts(),
  customdata: longText(),
  geo: object(geo),
  data: list(object(dataProvider)),
  consent: longText(),
  eids: list(object(eid)),
  ext,
})

// 3.2.13 Site, 3.2.14 App, 3.2.15 Publisher, 3.2.32 DOOH
const publisher = shape({ id: id(), name: text(), cat: texts(), domain: text(), ext })
const site = shape({
  id: id(),
  name: text(),
  domain: text(),
  cat: texts(),
  sectioncat: texts(),
  pagecat: texts(),
  page: longText(),
  ref: longText(),
  search: longText(),
  mobile: flag(),
  privacypolicy: flag(),
  publisher: object(publisher),
  content: object(),
  keywords: longText(),
  kwarray: texts(),
  ext,
})
const app = shape({
  id: id(),
  name: text(),
  bundle: text(),
  domain: text(),
  storeurl: longText(),
  cat: texts(),
  sectioncat: texts(),
  pagecat: texts(),
  ver: text(),
  privacypolicy: flag(),
  paid: flag(),
  publisher: object(publisher),
  content: object(),
  keywords: longText(),
  kwarray: texts(),
  ext,
})
const dooh = shape({
  id: id(),
  name: text(),
  publisher: object(publisher),
  domain: text(),
  keywords: longText(),
  content: object(),
  ext,
})

// 3.2.2 Source, 3.2.3 Regs
const source = shape({ fd: flag(), tid: text(), pchain: text(), schain: object(), ext })
const regs = shape({
  coppa: flag(),
  gdpr: flag(),
  us_privacy: text(),
  gpp: longText(),
  gpp_sid: integers(),
  ext,
})

// 3.2.11 Pmp, 3.2.12 Deal
const deal = shape({
  id: requiredId(),
  bidfloor: price(),
  bidfloorcur: letters(3),
  at: integer(),
  wseat: blockList(),
  wadomain: blockList(),
  ext,
})
const pmp = shape({ private_auction: flag(), deals: list(object(deal)), ext })

// 3.2.6 Banner, 3.2.10 Format
const format = shape(
  { w: pixels(), h: pixels(), wratio: pixels(), hratio: pixels(), wmin: pixels(), ext },
  checkFormat,
)
const banner = shape({
  format: list(object(format)),
  w: pixels(),
  h: pixels(),
  btype: integers(),
  battr: integers(),
  pos: integer(),
  mimes: texts(),
  topframe: flag(),
  expdir: integers(),
  api: integers(),
  id: id(),
  vcm: flag(),
  ext,
})

// 3.2.7 Video, 3.2.8 Audio: what the two share
const playable = {
  mimes: required(list(text(), undefined, 1)),
  minduration: integer(),
  maxduration: integer(),
  startdelay: integer(-INTEGER_MAX),
  protocols: integers(),
  rqddurs: integers(),
  battr: integers(),
  api: integers(),
  companionad: list(object(banner)),
  companiontype: integers(),
  delivery: integers(),
  minbitrate: integer(),
  maxbitrate: integer(),
  maxextended: integer(-1),
  mincpmpersec: price(),
  ext,
}
const video = shape(
  {
    ...playable,
    w: integer(),
    h: integer(),
    placement: integer(),
    plcmt: integer(),
    linearity: integer(),
    skip: flag(),
    skipmin: integer(),
    skipafter: integer(),
    playbackmethod: integers(),
    playbackend: integer(),
    pos: integer(),
  },
  checkDurations,
)
const audio = shape({ ...playable, feed: integer(), stitched: flag(), nvol: integer() }, checkDurations)

// Native 1.2, section 4: the JSON in `imp.native.request`
const asset = shape(
  {
    id: required(integer(-INTEGER_MAX)),
    required: flag(),
    title: object(shape({ len: required(integer(1)), ext })),
    img: object(
      shape({
        type: integer(),
        w: integer(),
        wmin: integer(),
        h: integer(),
        hmin: integer(),
        mimes: texts(),
        ext,
      }),
    ),
    video: object(
      shape({
        mimes: required(list(text(), undefined, 1)),
        minduration: required(integer()),
        maxduration: required(integer()),
        protocols: required(integers()),
        ext,
      }),
    ),
    data: object(shape({ type: required(integer(1)), len: integer(), ext })),
    ext,
  },
  checkAsset,
)
const eventTracker = shape({ event: required(integer()), methods: required(integers()), ext })
export const nativeRequestShape: Shape = shape({
  ver: text(),
  context: integer(),
  contextsubtype: integer(),
  plcmttype: integer(),
  plcmtcnt: integer(),
  seq: integer(),
  assets: required(list(object(asset), ASSETS_MAX, 1, true)),
  aurlsupport: flag(),
  durlsupport: flag(),
  eventtrackers: list(object(eventTracker)),
  privacy: flag(),
  ext,
})

/** `checkNativeRequest` reads the string in `native.request`. */
export function bidRequestShape(checkNativeRequest: NonNullable<Field['rule']>): Shape {
  // 3.2.9 Native
  const native = shape({
    request: required(text(LONG_TEXT_LENGTH_MAX, 1, checkNativeRequest)),
    ver: text(),
    api: integers(),
    battr: integers(),
    ext,
  })
  // 3.2.4 Imp
  const imp = shape(
    {
      id: requiredId(),
      banner: object(banner),
      video: object(video),
      audio: object(audio),
      native: object(native),
      pmp: object(pmp),
      displaymanager: text(),
      displaymanagerver: text(),
      instl: flag(),
      tagid: id(),
      bidfloor: price(),
      bidfloorcur: letters(3),
      clickbrowser: flag(),
      secure: flag(),
      iframebuster: texts(),
      rwdd: flag(),
      ssai: integer(),
      exp: integer(),
      ext,
    },
    checkImp,
  )
  // 3.2.1 BidRequest
  return shape(
    {
      id: requiredId(),
      imp: required(list(object(imp), IMPS_MAX, 1, true)),
      site: object(site),
      app: object(app),
      dooh: object(dooh),
      device: object(device),
      user: object(user),
      test: flag(),
      at: integer(1),
      tmax: integer(),
      wseat: blockList(),
      bseat: blockList(),
      allimps: flag(),
      cur: list(letters(3)),
      wlang: texts(),
      wlangb: texts(),
      acat: blockList(),
      bcat: blockList(),
      cattax: integer(),
      badv: blockList(),
      bapp: blockList(),
      source: object(source),
      regs: object(regs),
      ext,
    },
    checkRequest,
  )
}

function checkRequest(request: RawObject, faults: Faults): void {
  const { at, site: siteValue, app: appValue, dooh: doohValue } = request
  if (typeof at === 'number' && at > 2 && at < 500) addFault(faults, 'at', 'must be 1, 2, or 500 and above')
  if (siteValue !== undefined && appValue !== undefined) addFault(faults, 'app', 'must not come with site')
  if (doohValue !== undefined && (siteValue !== undefined || appValue !== undefined)) {
    addFault(faults, 'dooh', 'must not come with site or app')
  }
}

function checkImp(imp: RawObject, faults: Faults): void {
  const { banner: bannerValue, video: videoValue, audio: audioValue, native: nativeValue } = imp
  if (
    bannerValue === undefined &&
    videoValue === undefined &&
    audioValue === undefined &&
    nativeValue === undefined
  ) {
    addFault(faults, '', 'must have at least one of banner, video, audio, native')
  }
}

// Flex ads give a ratio in place of a size.
function checkFormat(size: RawObject, faults: Faults): void {
  const { w, h, wratio, hratio } = size
  if ((w === undefined || h === undefined) && (wratio === undefined || hratio === undefined)) {
    addFault(faults, '', 'must have w and h, or wratio and hratio')
  }
}

function checkDurations(media: RawObject, faults: Faults): void {
  const { minduration, maxduration, rqddurs } = media
  if (rqddurs !== undefined && (minduration !== undefined || maxduration !== undefined)) {
    addFault(faults, 'rqddurs', 'must not come with minduration or maxduration')
  }
}

function checkAsset(value: RawObject, faults: Faults): void {
  const { title, img, video: videoValue, data } = value
  const count =
    Number(title !== undefined) +
    Number(img !== undefined) +
    Number(videoValue !== undefined) +
    Number(data !== undefined)
  if (count !== 1) addFault(faults, '', 'must have exactly one of title, img, video, data')
}
