import { gunzipSync } from 'node:zlib';
import { png } from '../support/files.js';
import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest, type Page } from '../support/guest.js';
import { send } from '../support/raw.js';
import type { Receiver } from '../support/receiver.js';
import { codeOf } from '../support/mail.js';
import { invite, visit } from '../support/visit.js';

const CSP =
  "default-src 'none';style-src 'self';script-src 'self';img-src 'self' data:;connect-src 'self';form-action 'self';base-uri 'none';frame-ancestors 'none'";
const ORIGIN = 'https://support.example';

describe('headers', () => {
  let test: TestGateway;
  let source: Receiver;
  let answers: Record<string, Page>;
  /** Every `Set-Cookie` line, with the path that gave it. */
  const cookies: string[] = [];
  beforeAll(async () => {
    ({ test, source } = await createGatewayAndReceiver({ settings: { PUBLIC_URL: ORIGIN } }));
    answers = await walk();
    for (const [what, { headers }] of Object.entries(answers))
      cookies.push(...headers.getSetCookie().map((line) => `${what}: ${line}`));
  });
  afterAll(() => test.close());

  /** The whole way of a guest, one answer of each kind. */
  const walk = async (): Promise<Record<string, Page>> => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const headers = { origin: ORIGIN };
    const stay = { headers, follow: false };
    const landing = await guest.get(link);
    const press = await guest.submit(landing, '/code', {}, stay);
    await test.drain();
    const codePage = await guest.get(`${link}/code`);
    const wrong = await guest.submit(codePage, '/verify', { code: 'x' }, stay);
    const code = codeOf(test.inbox.messages.at(-1)!);
    const verified = await guest.submit(codePage, '/verify', { code }, stay);
    const path = new URL(verified.headers.get('location')!, test.url).pathname;
    const ticket = await guest.get(path);
    const files = [{ name: 'a.png', content: png(), type: 'image/png' }];
    const replied = await guest.submit(ticket, '/replies', { body: 'Here it is' }, { ...stay, files });
    const shown = await guest.get(path);
    const attachment = /\/tickets\/\w+\/attachments\/\w+/.exec(shown.html)![0];
    await test.drain();
    const signed = /https:\/\/support\.example(\/v1\/files\/[\w.-]+)/.exec(source.posts.at(-1)!.body)![1]!;
    const asset = /\/assets\/[\w./-]+\.css/.exec(landing.html)![0];
    return {
      landing,
      press,
      codePage,
      wrong,
      verified,
      ticket,
      replied,
      shown,
      refused: await guest.submit(shown, '/replies', { body: '' }, stay),
      forged: await guest.post(`${path}/replies`, { body: 'x' }, stay),
      attachment: await guest.get(attachment),
      signedFile: await new Guest(test.url).get(signed),
      signedFileForged: await new Guest(test.url).get(`${signed}x`),
      attachmentOfNobody: await new Guest(test.url).get(attachment),
      loggedOut: await guest.submit(shown, '/logout', {}, stay),
      neutral: await guest.get('/t/none'),
      mangled: await guest.get('/t/%zz'),
      unknown: await guest.get('/nothing/here'),
      unknownMangled: await guest.get('/%zz'),
      home: await guest.get('/'),
      help: await guest.get('/help'),
      asset: await guest.get(asset),
      health: await guest.get('/health/ready'),
      event: await guest.request('/v1/sources/default/events', { method: 'POST', body: '{}' }),
    };
  };

  it('of every answer keep browsers strict', () => {
    const download = ['attachment', 'signedFile'];
    for (const [what, { headers, status }] of Object.entries(answers)) {
      expect([what, status < 500]).toEqual([what, true]);
      const said = Object.fromEntries(headers);
      expect([what, said['content-security-policy']]).toEqual([
        what,
        download.includes(what) ? "sandbox; default-src 'none'" : CSP,
      ]);
      expect([what, said]).toEqual([
        what,
        expect.objectContaining({
          'x-content-type-options': 'nosniff',
          'x-frame-options': 'DENY',
          'referrer-policy': 'same-origin',
          'strict-transport-security': 'max-age=31536000',
          'cross-origin-resource-policy': 'same-origin',
          'cross-origin-opener-policy': 'same-origin',
        }),
      ]);
      for (const name of ['server', 'x-powered-by', 'etag', 'access-control-allow-origin'])
        expect([what, name, said[name]]).toEqual([what, name, undefined]);
    }
  });

  it('forbid to keep anything but what pages load, and that for ever', () => {
    for (const [what, { headers }] of Object.entries(answers)) {
      const wanted = what === 'asset' ? 'public, max-age=31536000, immutable' : 'no-store';
      expect([what, headers.get('cache-control')]).toEqual([what, wanted]);
    }
    expect(answers.asset!.headers.getSetCookie()).toEqual([]);
  });

  it('of what pages load say how it is packed, and pack it only for whoever takes that', async () => {
    const path = new URL(answers.asset!.url).pathname;
    for (const [accepts, encoding] of [
      ['gzip, br', 'gzip'],
      ['br, gzip;q=0', undefined],
      ['', undefined],
    ] as const) {
      const { headers, body } = await send(test.url, { path, headers: { 'accept-encoding': accepts } });
      expect([accepts, headers['content-encoding'], headers.vary]).toEqual([accepts, encoding, 'accept-encoding']);
      expect((encoding ? gunzipSync(body) : body).toString()).toBe(answers.asset!.html);
    }
  });

  it('make of a file a download by its name, never a page of ours', () => {
    for (const what of ['attachment', 'signedFile'] as const) {
      const { headers, status } = answers[what]!;
      expect(status).toBe(200);
      expect(headers.get('content-disposition')).toBe(`attachment; filename="a.png"; filename*=UTF-8''a.png`);
      expect(headers.get('content-type')).toBe('image/png');
    }
  });

  it('set cookies that no script, other host, plain http or foreign form gets', () => {
    expect(cookies.length).toBeGreaterThanOrEqual(3);
    for (const line of cookies) {
      expect(line).toMatch(/^\w+: __Host-postern-(visitor|guest-language|tkt_\w{26})=/);
      const attributes = line.split('; ').slice(1).sort();
      expect(attributes.filter((one) => !one.startsWith('Max-Age='))).toEqual([
        'HttpOnly',
        'Path=/',
        'SameSite=Lax',
        'Secure',
      ]);
    }
  });

  it('are the same on pages that load nothing from elsewhere', () => {
    for (const [what, { html, headers }] of Object.entries(answers)) {
      if (!headers.get('content-type')?.startsWith('text/html')) continue;
      expect([what, html.match(/(?:src|href|action)="(?:https?:)?\/\/[^"]*"/g)]).toEqual([what, null]);
      expect([what, html.match(/<style|\son\w+=|style="|javascript:|<script(?![^>]*\ssrc=)/gi)]).toEqual([what, null]);
    }
  });

  it('and bodies may come slowly, but not for ever', () => {
    expect(test.gateway.app.getHttpServer().requestTimeout).toBe(600_000);
  });

  it('on plain http neither promise https nor use the cookie names that need it', async () => {
    const plain = await createGateway();
    try {
      const { guest, page } = await visit(plain);
      expect(page.headers.get('strict-transport-security')).toBeNull();
      expect([...guest.cookies.keys()].every((name) => /^postern-/.test(name))).toBe(true);
      const first = await new Guest(plain.url).get('/t/none');
      expect(first.headers.getSetCookie().join()).not.toContain('Secure');
      expect(first.headers.getSetCookie().join()).toContain('HttpOnly');
    } finally {
      await plain.close();
    }
  });
});
