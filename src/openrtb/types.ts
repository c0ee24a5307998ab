/**
 * The wire types of OpenRTB 2.6 and Native 1.2 as we use them, named as in the standard, prices as decimal CPM. Values
 * may carry more fields than these. `validateBidRequest` is what makes a BidRequest of an unknown.
 */
export type Flag = 0 | 1
export type Ext = Readonly<Record<string, unknown>>

export interface BidRequest {
  readonly id: string
  readonly imp: readonly Imp[]
  readonly site?: Site
  readonly app?: App
  readonly dooh?: Dooh
  readonly device?: Device
  readonly user?: User
  readonly test?: Flag
  /** 1 first price, 2 second price (the default), 500 and above by the exchange's own rules. */
  readonly at?: number
  /** Milliseconds, the network included. */
  readonly tmax?: number
  readonly wseat?: readonly string[]
  readonly bseat?: readonly string[]
  readonly allimps?: Flag
  readonly cur?: readonly string[]
  readonly wlang?: readonly string[]
  readonly wlangb?: readonly string[]
  readonly acat?: readonly string[]
  readonly bcat?: readonly string[]
  readonly cattax?: number
  readonly badv?: readonly string[]
  readonly bapp?: readonly string[]
  readonly source?: Source
  readonly regs?: Regs
  readonly ext?: Ext
}

export interface Imp {
  readonly id: string
  readonly banner?: Banner
  readonly video?: Video
  readonly audio?: Audio
  readonly native?: Native
  readonly pmp?: Pmp
  readonly displaymanager?: string
  readonly displaymanagerver?: string
  readonly instl?: Flag
  readonly tagid?: string
  /** Decimal CPM, 0 to PRICE_MAX. */
  readonly bidfloor?: number
  readonly bidfloorcur?: string
  readonly clickbrowser?: Flag
  readonly secure?: Flag
  readonly iframebuster?: readonly string[]
  readonly rwdd?: Flag
  readonly ssai?: number
  /** Seconds. */
  readonly exp?: number
  readonly ext?: Ext
}

export interface Banner {
  readonly format?: readonly Format[]
  readonly w?: number
  readonly h?: number
  readonly btype?: readonly number[]
  readonly battr?: readonly number[]
  readonly pos?: number
  readonly mimes?: readonly string[]
  readonly topframe?: Flag
  readonly expdir?: readonly number[]
  readonly api?: readonly number[]
  readonly id?: string
  readonly vcm?: Flag
  readonly ext?: Ext
}

/** Either `w` and `h`, or `wratio` and `hratio`. */
export interface Format {
  readonly w?: number
  readonly h?: number
  readonly wratio?: number
  readonly hratio?: number
  readonly wmin?: number
  readonly ext?: Ext
}

interface Playable {
  readonly mimes: readonly string[]
  /** Seconds, as are all durations here. */
  readonly minduration?: number
  readonly maxduration?: number
  readonly startdelay?: number
  readonly protocols?: readonly number[]
  readonly rqddurs?: readonly number[]
  readonly battr?: readonly number[]
  readonly api?: readonly number[]
  readonly companionad?: readonly Banner[]
  readonly companiontype?: readonly number[]
  readonly delivery?: readonly number[]
  /** Kilobits a second. */
  readonly minbitrate?: number
  readonly maxbitrate?: number
  readonly maxextended?: number
  readonly mincpmpersec?: number
  readonly ext?: Ext
}

export interface Video extends Playable {
  readonly w?: number
  readonly h?: number
  readonly placement?: number
  readonly plcmt?: number
  readonly linearity?: number
  readonly skip?: Flag
  readonly skipmin?: number
  readonly skipafter?: number
  readonly playbackmethod?: readonly number[]
  readonly playbackend?: number
  readonly pos?: number
}

export interface Audio extends Playable {
  readonly feed?: number
  readonly stitched?: Flag
  readonly nvol?: number
}

export interface Native {
  /** JSON; `validateNativeRequest` reads it. */
  readonly request: string
  readonly ver?: string
  readonly api?: readonly number[]
  readonly battr?: readonly number[]
  readonly ext?: Ext
}

export interface NativeRequest {
  readonly ver?: string
  readonly context?: number
  readonly contextsubtype?: number
  readonly plcmttype?: number
  readonly plcmtcnt?: number
  readonly seq?: number
  readonly assets: readonly NativeAsset[]
  readonly aurlsupport?: Flag
  readonly durlsupport?: Flag
  readonly eventtrackers?: readonly NativeEventTracker[]
  readonly privacy?: Flag
  readonly ext?: Ext
}

/** Exactly one of `title`, `img`, `video`, `data`. */
export interface NativeAsset {
  readonly id: number
  readonly required?: Flag
  readonly title?: { readonly len: number; readonly ext?: Ext }
  readonly img?: NativeImage
  readonly video?: NativeVideo
  readonly data?: { readonly type: number; readonly len?: number; readonly ext?: Ext }
  readonly ext?: Ext
}

export interface NativeImage {
  readonly type?: number
  readonly w?: number
  readonly wmin?: number
  readonly h?: number
  readonly hmin?: number
  readonly mimes?: readonly string[]
  readonly ext?: Ext
}

export interface NativeVideo {
  readonly mimes: readonly string[]
  readonly minduration: number
  readonly maxduration: number
  readonly protocols: readonly number[]
  readonly ext?: Ext
}

export interface NativeEventTracker {
  readonly event: number
  readonly methods: readonly number[]
  readonly ext?: Ext
}

export interface Pmp {
  readonly private_auction?: Flag
  readonly deals?: readonly Deal[]
  readonly ext?: Ext
}

export interface Deal {
  readonly id: string
  readonly bidfloor?: number
  readonly bidfloorcur?: string
  readonly at?: number
  readonly wseat?: readonly string[]
  readonly wadomain?: readonly string[]
  readonly ext?: Ext
}

export interface Publisher {
  readonly id?: string
  readonly name?: string
  readonly cat?: readonly string[]
  readonly domain?: string
  readonly ext?: Ext
}

interface Inventory {
  readonly id?: string
  readonly name?: string
  readonly domain?: string
  readonly publisher?: Publisher
  readonly content?: Ext
  readonly keywords?: string
  readonly ext?: Ext
}

interface CategorizedInventory extends Inventory {
  readonly cat?: readonly string[]
  readonly sectioncat?: readonly string[]
  readonly pagecat?: readonly string[]
  readonly kwarray?: readonly string[]
  readonly privacypolicy?: Flag
}

export interface Site extends CategorizedInventory {
  readonly page?: string
  readonly ref?: string
  readonly search?: string
  readonly mobile?: Flag
}

export interface App extends CategorizedInventory {
  readonly bundle?: string
  readonly storeurl?: string
  readonly ver?: string
  readonly paid?: Flag
}

export type Dooh = Inventory

export interface Device {
  readonly geo?: Geo
  readonly dnt?: Flag
  readonly lmt?: Flag
  readonly ua?: string
  readonly sua?: Ext
  readonly ip?: string
  readonly ipv6?: string
  readonly devicetype?: number
  readonly make?: string
  readonly model?: string
  readonly os?: string
  readonly osv?: string
  readonly h?: number
  readonly w?: number
  readonly js?: Flag
  readonly language?: string
  readonly langb?: string
  readonly carrier?: string
  readonly connectiontype?: number
  readonly ifa?: string
  readonly ext?: Ext
}

export interface Geo {
  readonly lat?: number
  readonly lon?: number
  readonly type?: number
  /** Metres. */
  readonly accuracy?: number
  /** Seconds. */
  readonly lastfix?: number
  readonly ipservice?: number
  /** ISO 3166-1 alpha-3, in either case. */
  readonly country?: string
  readonly region?: string
  readonly metro?: string
  readonly city?: string
  readonly zip?: string
  /** Minutes. */
  readonly utcoffset?: number
  readonly ext?: Ext
}

export interface User {
  readonly id?: string
  readonly buyeruid?: string
  readonly keywords?: string
  readonly kwarray?: readonly string[]
  readonly customdata?: string
  readonly geo?: Geo
  readonly data?: readonly DataProvider[]
  readonly consent?: string
  readonly eids?: readonly Eid[]
  readonly ext?: Ext
}

/** The standard's `Data` object. */
export interface DataProvider {
  readonly id?: string
  readonly name?: string
  readonly segment?: readonly Segment[]
  readonly ext?: Ext
}

export interface Segment {
  readonly id?: string
  readonly name?: string
  readonly value?: string
  readonly ext?: Ext
}

export interface Eid {
  readonly source?: string
  readonly uids?: readonly { readonly id?: string; readonly atype?: number; readonly ext?: Ext }[]
  readonly ext?: Ext
}

export interface Source {
  readonly fd?: Flag
  readonly tid?: string
  readonly pchain?: string
  readonly schain?: Ext
  readonly ext?: Ext
}

export interface Regs {
  readonly coppa?: Flag
  readonly gdpr?: Flag
  readonly us_privacy?: string
  readonly gpp?: string
  readonly gpp_sid?: readonly number[]
  readonly ext?: Ext
}
