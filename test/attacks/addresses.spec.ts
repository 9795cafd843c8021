import { counted } from '../support/counted.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { send } from '../support/raw.js';
import { someDatabase } from '../support/some-database.js';
import { change, rows } from '../support/tables.js';

/** What proxies and their customers call the address of a client. */
const names =
  `x-forwarded-for forwarded x-real-ip x-client-ip client-ip true-client-ip cf-connecting-ip cf-connecting-ipv6
  cf-pseudo-ipv4 fastly-client-ip x-cluster-client-ip x-originating-ip x-remote-ip x-remote-addr x-forwarded x-forward-for
  forwarded-for forwarded-for-ip x-forwarded-by x-original-forwarded-for x-original-remote-addr x-envoy-external-address
  x-azure-clientip x-azure-socketip x-appengine-user-ip x-arr-clientip do-connecting-ip fly-client-ip x-nf-client-connection-ip
  x-vercel-forwarded-for x-vercel-proxied-for x-host x-custom-ip-authorization x-proxyuser-ip wl-proxy-client-ip
  proxy-client-ip http-client-ip http-x-forwarded-for remote-addr via x-ip x-coming-from x-sucuri-clientip`
    .trim()
    .split(/\s+/);

/** One address of IPv4, as proxies, resolvers and attackers write it. */
const ofFour = `203.0.113.9 203.0.113.9:1 203.0.113.9:65535 [::ffff:203.0.113.9] ::ffff:203.0.113.9 ::FFFF:203.0.113.9
  ::ffff:cb00:7109 ::FFFF:CB00:7109 0:0:0:0:0:ffff:203.0.113.9 0:0:0:0:0:ffff:cb00:7109 0000:0000:0000:0000:0000:ffff:cb00:7109
  [::ffff:203.0.113.9]:443 [::ffff:cb00:7109]:443 ::ffff:203.0.113.9%eth0 0313.0.0161.011 0xcb.0x0.0x71.0x9 0xcb007109 3405803785
  031300070411 203.0.28937 203.28937 0xcb.0.113.9 0313.0x0.113.9`
  .trim()
  .split(/\s+/);

/** One household of IPv6. */
const ofSix = `2001:db8:1:2::9 2001:db8:1:2::a 2001:0db8:0001:0002:0000:0000:0000:0009 2001:DB8:1:2::9 [2001:db8:1:2::9]
  [2001:db8:1:2::9]:443 2001:db8:1:2:3:4:5:6 2001:db8:1:2::203.0.113.9 2001:db8:1:2::9%eth0 2001:db8:1:2::9%25eth0
  2001:db8:1:2:ffff:ffff:ffff:ffff 2001:db8:1:2:0::9 [2001:db8:1:2::9%eth0]:1`
  .trim()
  .split(/\s+/);

/** What is no address: all of it together is one client. */
const ofNobody = [
  'unknown', '_hidden', '_SEVKISEK', '-', '.', ':', '::g', '256.1.1.1', '203.0.113.9.1', '203.0.113.9/32', '203.0.113.-9',
  '203.0.113.9a', '"203.0.113.9"', "'203.0.113.9'", 'for=203.0.113.9', '<203.0.113.9>', '203.0.113.9;', '203,0,113,9x', '203.0.113.9 203.0.113.8',
  '203。0。113。9', '２０３.0.113.9', '[203.0.113.9', '203.0.113.9]', '[2001:db8:1:2::9', '2001:db8:1:2::9::1', '12345::1', 'localhost',
  'evil.example', '%00', '${jndi:ldap://evil.example}', "' OR 1=1 --", '../../etc/passwd', 'null', 'undefined', 'NaN', '1e9', '__proto__',
  'x'.repeat(2000),
]; // prettier-ignore

describe.each(someDatabase)('the address that is counted on $name', (database) => {
  const check = async (test: TestGateway, headers: Record<string, string | string[]>) => {
    const guest = new Guest(test.url);
    const [form] = (await guest.get('/check')).forms;
    const { status } = await send(test.url, {
      method: 'POST',
      path: '/check',
      headers: {
        cookie: [...guest.cookies].map((pair) => pair.join('=')).join('; '),
        'content-type': 'application/x-www-form-urlencoded',
        ...headers,
      },
      body: new URLSearchParams({ ...form!.fields, reference: '0000-0000-00000' }).toString(),
    });
    return status;
  };
  const counts = (test: TestGateway) => rows(test, 'limits', `key LIKE 'check:%'`);
  /** Until not one more is let through. */
  const fill = async (test: TestGateway, headers: Record<string, string> = {}) => {
    for (let n = 0; n < 30; n++) expect(await check(test, headers)).toBe(200);
    expect(await check(test, headers)).toBe(429);
  };

  it('is that of the connection, whatever a request says of itself', async () => {
    const test = await createGateway({ database });
    try {
      await fill(test);
      const claims: Record<string, string | string[]>[] = [
        ...names.map((name, n) => ({ [name]: name === 'forwarded' ? `for=203.0.113.${n}` : `203.0.113.${n}` })),
        ...names.slice(0, 12).map((name) => ({ [name]: name === 'forwarded' ? 'for="[2001:db8::1]"' : '2001:db8::1' })),
        { 'x-forwarded-for': '127.0.0.1' },
        { 'x-forwarded-for': '::1' },
        { 'x-forwarded-for': '10.0.0.1, 203.0.113.1' },
        { 'x-forwarded-for': ['203.0.113.1', '203.0.113.2'] },
        { 'x-forwarded-for': '' },
        { 'x-forwarded-for': ',,,' },
        { 'X-FORWARDED-FOR': '203.0.113.3' },
        { 'x_forwarded_for': '203.0.113.4' },
        { forwarded: 'for=192.0.2.43, for="[2001:db8:cafe::17]:4711";proto=https;by=127.0.0.1' },
        { forwarded: 'for=_hidden' },
        { host: '203.0.113.5' },
        { 'x-forwarded-host': '203.0.113.6', 'x-forwarded-proto': 'https', 'x-forwarded-port': '1' },
        { connection: 'x-forwarded-for', 'x-forwarded-for': '203.0.113.7' },
        Object.fromEntries(names.map((name) => [name, '203.0.113.8'])),
      ]; // prettier-ignore
      expect(claims.length).toBeGreaterThan(60);
      for (const headers of claims) expect([headers, await check(test, headers)]).toEqual([headers, 429]);
      expect(await counts(test)).toHaveLength(1);
      counted('claims of another address', claims.length);
    } finally {
      await test.close();
    }
  });

  it('is one for all its spellings behind a trusted proxy, and one for all that is none', async () => {
    const test = await createGateway({ database, settings: { TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8' } });
    try {
      const kinds: [string, string[]][] = [
        ['203.0.113.9', ofFour],
        ['2001:db8:1:2::9', ofSix],
        ['unknown', ofNobody],
      ];
      for (const [plain] of kinds) await fill(test, { 'x-forwarded-for': plain });
      const buckets = (await counts(test)).length;
      let tried = 0;
      for (const [, spellings] of kinds)
        for (const spelling of spellings) {
          if (/[^\x20-\xff]/.test(spelling)) {
            // A header is bytes: these are not what they look like.
            const bytes = Buffer.from(spelling).toString('latin1');
            expect([spelling, await check(test, { 'x-forwarded-for': bytes })]).toEqual([spelling, 429]);
          } else {
            const ways = [spelling, `198.51.100.1, ${spelling}`, `${spelling}, 10.1.2.3`, ` ,${spelling} `];
            for (const way of ways.slice(0, tried % 3 === 0 ? 4 : 1)) {
              expect([way, await check(test, { 'x-forwarded-for': way })]).toEqual([way, 429]);
              tried++;
            }
          }
          tried++;
        }
      expect(tried).toBeGreaterThanOrEqual(80);
      // None of them opened a count of its own.
      expect(await counts(test)).toHaveLength(buckets);
      expect(buckets).toBe(3);
      // Beside it other headers are still what a client says, and another client is another one.
      for (const name of names.slice(1)) {
        const claim = name === 'forwarded' ? 'for=203.0.113.77' : '203.0.113.77';
        const headers = { 'x-forwarded-for': '203.0.113.9', [name]: claim };
        expect([name, await check(test, headers)]).toEqual([name, 429]);
      }
      counted('claims of another address', tried + names.length - 1);
      expect(await check(test, { 'x-forwarded-for': '203.0.113.77' })).toBe(200);
      await change(test, 'DELETE FROM limits');
    } finally {
      await test.close();
    }
  });
});
