import { counted } from '../support/counted.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { send } from '../support/raw.js';
import { invite, newestMail } from '../support/visit.js';

const EVIL = 'evil.example';
const hosts = [
  EVIL, `${EVIL}:80`, `${EVIL}:443`, `user@${EVIL}`, `user:pass@${EVIL}`, `127.0.0.1.${EVIL}`, `${EVIL}#`, `${EVIL}?`, `${EVIL}/`, `${EVIL}.`,
  `${EVIL},127.0.0.1`, `127.0.0.1,${EVIL}`, `127.0.0.1@${EVIL}`, `127.0.0.1 ${EVIL}`, `127.0.0.1\t${EVIL}`, `//${EVIL}`, `https://${EVIL}`, `${EVIL}%2f`, `\\\\${EVIL}`,
  EVIL.toUpperCase(), '[::1]', '[::ffff:127.0.0.1]', '127.0.0.1:1', '127.1', '2130706433', '0x7f.1', 'localhost', '', ' ',
]; // prettier-ignore
const claims: Record<string, string | string[]>[] = [
  ...hosts.map((host) => ({ host })),
  { 'x-forwarded-host': EVIL },
  { 'x-forwarded-host': ['127.0.0.1', EVIL] },
  { 'x-forwarded-proto': 'https', 'x-forwarded-host': EVIL, 'x-forwarded-port': '444' },
  { forwarded: `host=${EVIL};proto=https` },
  { forwarded: `for=127.0.0.1;host="${EVIL}"` },
  { 'x-host': EVIL },
  { 'x-original-url': `//${EVIL}/` },
  { 'x-rewrite-url': `//${EVIL}/` },
  { 'x-forwarded-server': EVIL },
  { 'x-http-host-override': EVIL },
  { 'x-forwarded-prefix': `//${EVIL}` },
  { 'x-forwarded-scheme': `https://${EVIL}` },
  { 'x-original-host': EVIL, referer: `https://${EVIL}/` },
  { ':authority': EVIL },
];

describe('whatever host a request names', () => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway();
  });
  afterAll(() => test.close());

  it('links, redirects, pages and mails are made from PUBLIC_URL', async () => {
    expect(claims.length).toBeGreaterThanOrEqual(40);
    const said: string[] = [];
    for (const [n, headers] of claims.entries()) {
      const email = `spoofed-${n}@example.com`;
      const own = await invite(test, { email });
      const landing = await send(test.url, { path: own, headers }).catch(() => null);
      // Node itself does not send, or refuses, what is no header and no host.
      if (landing === null || landing.status === 400) {
        test.clock.advance({ minutes: 61 });
        continue;
      }
      const cookie = String(landing.headers['set-cookie']).split(';')[0]!;
      const formToken = /name="formToken" value="([^"]+)"/.exec(landing.body.toString())![1]!;
      const sent = await send(test.url, {
        method: 'POST',
        path: `${own}/code`,
        headers: { ...headers, cookie, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ formToken }).toString(),
      });
      expect([headers, sent.status, sent.headers.location]).toEqual([headers, 303, `${own}/code`]);
      await test.drain();
      const missing = await send(test.url, { path: '/t/none', headers });
      said.push(JSON.stringify([landing.headers, sent.headers, missing.headers]), landing.body.toString());
      said.push(newestMail(test, email).raw);
      test.clock.advance({ minutes: 61 });
    }
    expect(said.length).toBeGreaterThan(60);
    expect(said.join('\n').toLowerCase()).not.toContain(EVIL);
    counted('hosts named by a request', claims.length);
  });
});
