/** What a newcomer needs before the single operations. */
export const GUIDE = `
<h3>Ask</h3>
<p>Send a key as <code>Authorization: Bearer KEY</code>. The examples take it from a variable of the shell:</p>
<pre>KEY=...   # the admin key: FARTHING_ADMIN_KEY, or what the first start of the server printed
curl 'http://127.0.0.1:8080/v1/campaigns' -H "Authorization: Bearer $KEY"</pre>
<p>Auctions, ads, pixels and clicks need none. Fields that are not known are refused, except under
<code>/openrtb2/</code> and <code>/events/</code>. A field with <code>?</code> may be left out.</p>
<p>A POST that makes or moves something takes an <code>Idempotency-Key</code>: the same key and body give the first
answer again, so that it is safe to repeat. Lists answer <code>{ items, nextCursor }</code>; the next page is
<code>?cursor=</code> that one. Figures that may still change say so: <code>asOf</code> and <code>final</code>.</p>
<h3>From nothing to a charge</h3>
<ol>
<li><a href="#post-v1-advertisers">Make an advertiser</a> and <a href="#post-v1-advertisers-id-deposits">pay money in</a>.</li>
<li><a href="#post-v1-publishers">Make a publisher</a> and a <a href="#post-v1-placements">placement</a>.</li>
<li><a href="#post-v1-campaigns">Make a campaign</a>. Within a second it serves; if not,
<a href="#get-v1-campaigns-id-explain">ask why</a>.</li>
<li>Put the tag on a page. It shows the ad in a frame of its own, counts it and follows the click.</li>
<li><a href="#get-v1-charges-eventid">Read the charge</a>, by the id of the impression.</li>
</ol>
<h3 id="tag">An ad on a page</h3>
<pre>&lt;script src=&quot;http://127.0.0.1:8080/tag.js&quot; async&gt;&lt;/script&gt;
&lt;ins class=&quot;farthing&quot; data-placement=&quot;plc_7e&quot;&gt;&lt;/ins&gt;</pre>
<p><code>data-user</code> may hold an id of the reader, for frequency caps. Without a fitting ad the place stays empty.</p>
`
