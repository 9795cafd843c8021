import { Links, type TicketLink } from '../../src/access/link.js';
import type { Config } from '../../src/config.js';
import { newId } from '../../src/ids.js';
import { openAttachmentToken, attachmentUrl } from '../../src/outbound/attachment-url.js';
import { generateKey, KeyRing } from '../../src/platform/crypto.js';
import { canonicalIp } from '../../src/platform/client-network.js';

const DAY = 86_400_000;
const now = Date.UTC(2026, 10, 23);
const keys = (...kids: string[]) =>
  new KeyRing(kids.map((kid) => ({ kid, key: Buffer.from(generateKey(), 'base64') })));

describe('a ticket link', () => {
  const linkKeys = keys('b', 'a');
  const links = new Links({ linkKeys, publicUrl: 'https://support.example', linkLifetimeDays: 30 } as Config);
  const link: TicketLink = {
    source: 'acme',
    ticketId: newId('tkt', now),
    participantId: newId('ptc', now),
    generation: 3,
    ...links.terms(now),
  };
  const tokenOf = (given: Partial<TicketLink> = {}) => links.url({ ...link, ...given }).split('/t/')[1]!;

  it('stands for source, ticket, person and generation, and says when it expires', () => {
    const opened = links.open(tokenOf(), now);
    if (!opened.ok) throw new Error('not opened');
    const { ticketId, participantId, generation, expired } = opened;
    expect({ ticketId, participantId, generation, expired }).toEqual({
      ticketId: link.ticketId,
      participantId: link.participantId,
      generation: 3,
      expired: false,
    });
    expect([opened.isOf('acme'), opened.isOf('acm'), opened.isOf('')]).toEqual([true, false, false]);
  });

  it('lives for the days that are set, to the second', () => {
    const ends = links.terms(now).expiresAt;
    expect(ends).toBe(now + 30 * DAY);
    expect(links.open(tokenOf(), ends - 1)).toMatchObject({ ok: true, expired: false });
    expect(links.open(tokenOf(), ends)).toMatchObject({ ok: true, expired: true });
  });

  it('is the same each time it is made, so that every try of a mail has the same bytes', () => {
    expect(tokenOf()).toBe(tokenOf());
    expect(links.url(link, 'a')).toBe(links.url(link, 'a'));
    expect(links.url(link, 'a')).not.toBe(links.url(link, 'b'));
  });

  it('is neither a file link nor a piece of one', () => {
    const file = attachmentUrl(linkKeys, '', newId('att', now), now).split('/v1/files/')[1]!;
    expect(links.open(file, now)).toEqual({ ok: false });
    expect(openAttachmentToken(linkKeys, tokenOf(), now)).toBeNull();
  });
});

describe('a file link', () => {
  it('lives for seven days from the reply on', () => {
    const ring = keys('a');
    const id = newId('att', now);
    const token = attachmentUrl(ring, '', id, now).split('/v1/files/')[1]!;
    expect(openAttachmentToken(ring, token, now + 7 * DAY - 1)).toBe(id);
    expect(openAttachmentToken(ring, token, now + 7 * DAY)).toBeNull();
    expect(openAttachmentToken(keys('a'), token, now)).toBeNull();
  });
});

describe('the key of an IP', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['::ffff:c000:207', '192.0.2.7'],
    ['0:0:0:0:0:ffff:c000:0207', '192.0.2.7'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['192.0.2.7:51234', '192.0.2.7'],
    ['[2001:db8:1:2::1]:443', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::1]', '2001:db8:1:2::/64'],
    [' 192.0.2.7 ', '192.0.2.7'],
    ['[fe80::1%25eth0]:443', 'fe80:0:0:0::/64'],
    ['::ffff:192.0.2.7%eth0', '192.0.2.7'],
    ['unknown', 'unknown'],
    ['', 'unknown'],
    ['_hidden', 'unknown'],
    ['for=192.0.2.7', 'unknown'],
    ['example.com', 'unknown'],
    ['192.0.2.7, 192.0.2.8', 'unknown'],
    ['x'.repeat(5000), 'unknown'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
  ])('%s is %s', (ip, key) => {
    expect(canonicalIp(ip)).toBe(key);
  });
});
