import { Links } from '../../src/access/link.js';
import { newId } from '../../src/ids.js';
import { attachmentUrl } from '../../src/outbound/attachment-url.js';
import { generateKey, KeyRing } from '../../src/platform/crypto.js';
import { signToken } from '../../src/platform/signed-token.js';
import { counted } from '../support/counted.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { send, type RawAnswer } from '../support/raw.js';
import { someDatabase } from '../support/some-database.js';
import { dump } from '../support/tables.js';
import { askForCode, invite, opened } from '../support/visit.js';

describe.each(someDatabase)('links on $name', (database) => {
  let test: TestGateway;
  let link: string;
  let token: string;
  beforeAll(async () => {
    test = await createGateway({ database });
    link = await invite(test);
    token = link.slice('/t/'.length);
  });
  afterAll(() => test.close());

  /** What a stranger sees at this path, without what differs between two looks at one page. */
  const look = async (path: string): Promise<string> => comparable(await send(test.url, { path }));

  const payload = () => Buffer.from(token.split('.')[2]!, 'base64url');

  it('gives one and the same page for every flipped bit', async () => {
    const neutral = await look('/t/1.l1.AAAA.AAAA');
    expect(neutral).toMatch(/^404 /);
    const bytes = Buffer.from(token, 'latin1');
    let flips = 0;
    for (let at = 0; at < bytes.length; at++) {
      // Eight requests at a time: the bits of one sign.
      const pages = await Promise.all(
        Array.from({ length: 8 }, (_, bit) => {
          const flipped = Buffer.from(bytes);
          flipped[at]! ^= 1 << bit;
          const sign = encodeURIComponent(String.fromCharCode(flipped[at]!));
          return look(`/t/${token.slice(0, at)}${sign}${token.slice(at + 1)}`);
        }),
      );
      for (const page of pages) if (page !== neutral) throw new Error(`sign ${at} flipped gives\n${page}`);
      flips += pages.length;
    }
    expect(flips).toBeGreaterThan(800);
    counted('forged links', flips);
  });

  it('gives that page for forged, foreign, misused and mangled tokens too', async () => {
    const { linkKeys } = test.gateway.config;
    const foreign = new KeyRing([{ kid: 'l1', key: Buffer.from(generateKey(), 'base64') }]);
    const unknown = new KeyRing([{ kid: 'l2', key: Buffer.from(generateKey(), 'base64') }]);
    const { ticketId, participantId, generation } = opened(test, link);
    const expiresAt = test.clock.now() + 86_400_000;
    const links = test.gateway.app.get(Links);
    const tokenOf = (given: Partial<Parameters<Links['url']>[0]>) =>
      links.url({ source: 'default', ticketId, participantId, generation, expiresAt, ...given }).split('/t/')[1]!;
    expect((await look(`/t/${tokenOf({})}`)).startsWith('200 ')).toBe(true);
    const [version, kid, body, mac] = token.split('.') as [string, string, string, string];
    const fileToken = attachmentUrl(linkKeys, '', newId('att', 0), test.clock.now()).split('/v1/files/')[1]!;
    const otherGuest = opened(test, await invite(test, { email: 'budi@example.com' }));
    const bad: Record<string, string> = {
      'a file token as a link': fileToken,
      'the payload signed for files': signToken(linkKeys, 'source-file', payload()),
      'the payload signed for nothing': signToken(linkKeys, '', payload()),
      'a foreign key of the same name': signToken(foreign, 'ticket-link', payload()),
      'a key nobody knows': signToken(unknown, 'ticket-link', payload()),
      'the kid of a prototype': `${version}.__proto__.${body}.${mac}`,
      'the kid of a method': `${version}.constructor.${body}.${mac}`,
      'another source': tokenOf({ source: 'other' }),
      'a lower generation': tokenOf({ generation: generation - 1 }),
      'a higher generation': tokenOf({ generation: generation + 1 }),
      'another ticket': tokenOf({ ticketId: newId('tkt', 1) }),
      'another person': tokenOf({ participantId: newId('ptc', 1) }),
      "another ticket's person": tokenOf({ participantId: otherGuest.participantId }),
      'a longer payload': signToken(linkKeys, 'ticket-link', Buffer.concat([payload(), Buffer.from([0])])),
      'a shorter payload': signToken(linkKeys, 'ticket-link', payload().subarray(0, 43)),
      'an empty payload': signToken(linkKeys, 'ticket-link', Buffer.alloc(0)),
      'another version': `2.${kid}.${body}.${mac}`,
      'no version': `${kid}.${body}.${mac}`,
      'no mac': `${version}.${kid}.${body}.`,
      'no mac and no dot': `${version}.${kid}.${body}`,
      'no payload': `${version}.${kid}..${mac}`,
      'no kid': `${version}..${body}.${mac}`,
      'dots only': '....',
      'one part more': `${token}.x`,
      'a dot at the end': `${token}.`,
      padding: `${token}=`,
      'a cut mac': token.slice(0, -1),
      'a mac said twice': `${token}${mac}`,
      'the same bytes spelled otherwise': `${token.slice(0, -1)}${nextSign(token.at(-1)!)}`,
      'base64 instead of base64url': `${version}.${kid}.${body}.${mac.replaceAll('-', '+').replaceAll('_', '%2F')}%3D`,
      'a NUL at the end': `${token}%00`,
      'a NUL alone': '%00',
      'a NUL inside': `${token.slice(0, 20)}%00${token.slice(20)}`,
      'a line break': `${token}%0d%0aset-cookie:%20a=b`,
      'a space before': `%20${token}`,
      'full-width dots': token.replaceAll('.', '%EF%BC%8E'),
      'an emoji': '%F0%9F%92%A3',
      'bytes that are no UTF-8': '%ff%fe',
      'half a percent sign': '%zz',
      'a percent sign at the end': `${token}%`,
      'upper case': token.toUpperCase(),
      'a path in it': `..%2f..%2f${token}`,
      long: 'A'.repeat(590),
      'longer than the router takes': 'A'.repeat(700),
      'very long': 'A'.repeat(8000),
      'long with dots': `1.l1.${'A'.repeat(400)}.${'A'.repeat(43)}`,
    };
    const neutral = await look('/t/1.l1.AAAA.AAAA');
    for (const [what, value] of Object.entries(bad)) {
      const page = await look(`/t/${value}`);
      if (page !== neutral) throw new Error(`${what} gives\n${page.slice(0, 1000)}`);
      for (const end of ['/code', '/verify']) {
        const answer = await send(test.url, { path: `/t/${value}${end}`, method: 'POST' });
        expect([what, end, answer.status < 500]).toEqual([what, end, true]);
      }
    }
    expect(Object.keys(bad).length).toBeGreaterThan(40);
    counted('forged links', Object.keys(bad).length * 3);
  });

  it('changes nothing and sends nothing, whoever opens it, how often and by which safe method', async () => {
    const { guest, page, code } = await asked();
    const before = await dump(test);
    const mails = test.inbox.messages.length;
    const cookie = [...guest.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      for (const path of [link, `${link}/code`, `${link}/verify?code=${code}`, `${link}/renew`, `${link}?code=${code}`])
        for (let n = 0; n < 7; n++) {
          const answer = await send(test.url, { method, path, headers: n % 2 ? { cookie } : {} });
          expect([method, path, answer.status < 500]).toEqual([method, path, true]);
        }
    await test.drain();
    expect(await dump(test)).toBe(before);
    expect(test.inbox.messages.length).toBe(mails);
    expect((await guest.submit(page, '/verify', { code })).url).toContain('/tickets/');
  });

  it('holds no address, name or number, and one person never gets the link of another', async () => {
    const text = Buffer.from(token.split('.')[2]!, 'base64url').toString('latin1') + link;
    for (const said of ['siti', 'example', '12345', 'Penarikan', 'default']) expect(text).not.toContain(said);
    expect(link).toMatch(/^\/t\/1\.l1\.[\w-]{59}\.[\w-]{43}$/);
  });

  const asked = async () => {
    const guest = new Guest(test.url);
    return { guest, ...(await askForCode(test, guest, link)) };
  };
});

describe('a link', () => {
  it('dies at once when its key is cut off, and lives on when another one signs', async () => {
    const [old, next] = [generateKey(), generateKey()];
    const settings = { LINK_KEYS: `a:${old}` };
    const test = await createGateway({ settings });
    try {
      const link = await invite(test);
      expect((await new Guest(test.url).get(link)).status).toBe(200);
      await test.restart({ LINK_KEYS: `b:${next},a:${old}` });
      expect((await new Guest(test.url).get(link)).status).toBe(200);
      expect(await invite(test)).toMatch(/^\/t\/1\.b\./);
      await test.restart({ LINK_KEYS: `b:${next}` });
      expect((await new Guest(test.url).get(link)).status).toBe(404);
    } finally {
      await test.close();
    }
  });

  it('says when it has expired, and mails a fresh one to nobody but the address it was made for', async () => {
    const test = await createGateway();
    try {
      const link = await invite(test);
      test.clock.advance({ days: 30, seconds: 1 });
      const guest = new Guest(test.url);
      const page = await guest.get(link);
      expect(page.status).toBe(410);
      expect((await guest.post(`${link}/code`, page.forms.at(-1)!.fields)).status).toBe(410);
      const mails = test.inbox.messages.length;
      for (let n = 0; n < 7; n++)
        await guest.submit(page, '/renew', { email: 'evil@example.com', to: 'evil@example.com' });
      await test.drain();
      const fresh = test.inbox.messages.slice(mails);
      expect(fresh).toHaveLength(5);
      expect(new Set(fresh.flatMap(({ to }) => to))).toEqual(new Set(['siti@example.com']));
    } finally {
      await test.close();
    }
  });
});

/** Without what is drawn anew for each page, and without its own address, which the language switch repeats. */
function comparable({ status, headers, body }: RawAnswer): string {
  const html = body
    .toString()
    .replace(/name="formToken" value="[^"]*"/g, '')
    // The form of the languages leads back to the address that was asked for, which tells whoever asked nothing new.
    .replace(/action="[^"]*\/language"/, '')
    .replace(/name="path" value="[^"]*"/, '');
  const kept = Object.entries(headers).filter(([name]) => !['date', 'set-cookie', 'content-length'].includes(name));
  return `${status} ${JSON.stringify(kept)}\n${html}`;
}

/** Another sign whose first bits are the same: the 43rd sign of a MAC holds four bits and two that must be zero. */
function nextSign(sign: string): string {
  const signs = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return signs[signs.indexOf(sign) ^ 1]!;
}
