import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import {
  generateWebhookSecret,
  isWebhookSecret,
  signWebhook,
  verifyWebhook,
  type WebhookHeaders,
  type WebhookVerdict,
} from '../../src/platform/webhook-signature.js';

// The vector of the Standard Webhooks 1.0 libraries.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const timestamp = 1614265330;
const body = Buffer.from('{"test": 2432232314}');
const good = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

interface Given {
  secrets?: string[];
  headers?: WebhookHeaders;
  rawBody?: Buffer;
  now?: number;
}

const headersWith = (changes: WebhookHeaders): WebhookHeaders => ({
  'webhook-id': id,
  'webhook-timestamp': String(timestamp),
  'webhook-signature': good,
  ...changes,
});

const verify = ({
  secrets = [secret],
  headers = {},
  rawBody = body,
  now = timestamp * 1000,
}: Given = {}): WebhookVerdict => verifyWebhook({ secrets, headers: headersWith(headers), rawBody, now });

const reason = (given: Given): string => {
  const verdict = verify(given);
  return verdict.ok ? 'genuine' : verdict.reason;
};

describe('the published vector', () => {
  it('is signed as published', () => {
    expect(signWebhook({ secret, id, timestamp, body })).toEqual(headersWith({}));
  });

  it('is genuine', () => expect(verify()).toEqual({ ok: true, id, timestamp }));
});

describe('what is genuine', () => {
  it('may be signed by any secret in rotation, and carry several signatures', () => {
    expect(reason({ secrets: [other, secret] })).toBe('genuine');
    expect(reason({ secrets: [secret, other] })).toBe('genuine');
    expect(reason({ headers: { 'webhook-signature': `${good} v1,${'A'.repeat(43)}=` } })).toBe('genuine');
    expect(reason({ headers: { 'webhook-signature': `v1,${'A'.repeat(43)}= ${good}` } })).toBe('genuine');
    expect(reason({ headers: { 'webhook-signature': `${good} v1,short v2,x v1a,${'A'.repeat(86)}==` } })).toBe(
      'genuine',
    );
  });

  it('lies within 300 seconds, to the second', () => {
    for (const ms of [0, -300_000, 300_000, 300_999]) expect(reason({ now: timestamp * 1000 + ms })).toBe('genuine');
    for (const ms of [-300_001, 301_000, 3e12, -1e12]) expect(reason({ now: timestamp * 1000 + ms })).toBe('stale');
  });

  it('is so for the library of the specification too, and the other way round', () => {
    const now = Math.floor(Date.now() / 1000);
    const ids = fc.stringMatching(/^[\x21-\x2d\x2f-\x7e]{1,60}$/);
    const keys = fc.uint8Array({ minLength: 24, maxLength: 64 });
    fc.assert(
      fc.property(ids, keys, fc.string({ unit: 'grapheme' }), (messageId, bytes, text) => {
        const shared = `whsec_${Buffer.from(bytes).toString('base64')}`;
        const library = new Webhook(shared);
        const ours = signWebhook({ secret: shared, id: messageId, timestamp: now, body: text });
        expect(() => library.verify(text, ours, { jsonParse: false })).not.toThrow();
        const headers = { ...ours, 'webhook-signature': library.sign(messageId, new Date(now * 1000), text) };
        const verdict = verifyWebhook({ secrets: [shared], headers, rawBody: Buffer.from(text), now: now * 1000 });
        expect(verdict).toEqual({ ok: true, id: messageId, timestamp: now });
      }),
    );
  });

  it('is signed over bytes, not over text', () => {
    const rawBody = Buffer.from([0x7b, 0xff, 0x7d]);
    const headers = signWebhook({ secret, id, timestamp, body: rawBody });
    expect(reason({ headers, rawBody })).toBe('genuine');
    expect(reason({ headers, rawBody: Buffer.from([0x7b, 0xfe, 0x7d]) })).toBe('mismatch');
    expect(reason({ headers, rawBody: Buffer.from(rawBody.toString()) })).toBe('mismatch');
  });
});

describe('what is not genuine', () => {
  it('is any message with one bit changed', () => {
    for (let bit = 0; bit < body.length * 8; bit++) {
      const rawBody = Buffer.from(body);
      rawBody[bit >> 3]! ^= 1 << (bit & 7);
      expect(reason({ rawBody })).toBe('mismatch');
    }
    for (let i = 3; i < good.length; i++) {
      const changed = `${good.slice(0, i)}${good[i] === 'A' ? 'B' : 'A'}${good.slice(i + 1)}`;
      expect(reason({ headers: { 'webhook-signature': changed } })).toBe('mismatch');
    }
    expect(reason({ headers: { 'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJel' } })).toBe('mismatch');
    expect(reason({ headers: { 'webhook-timestamp': String(timestamp + 1) } })).toBe('mismatch');
  });

  it.each([
    ['other secrets only', { secrets: [other] }],
    ['no secret', { secrets: [] }],
    ['another version', { headers: { 'webhook-signature': good.replace('v1', 'v1a') } }],
    ['no version', { headers: { 'webhook-signature': good.slice(3) } }],
    ['capital letters', { headers: { 'webhook-signature': good.replace('v1', 'V1') } }],
    ['an empty signature', { headers: { 'webhook-signature': 'v1,' } }],
    ['half a signature', { headers: { 'webhook-signature': good.slice(0, 24) } }],
    ['another spelling of the last bits', { headers: { 'webhook-signature': good.replace('1OE=', '1OF=') } }],
    ['commas between signatures', { headers: { 'webhook-signature': `v1,AAAA,${good}` } }],
    ['thousands of signatures', { headers: { 'webhook-signature': 'v1,AAAA '.repeat(5000) } }],
    ['a body moved into the time', { headers: { 'webhook-id': `${id}x` } }],
  ])('is one with %s', (_what, given: Given) => expect(reason(given)).toBe('mismatch'));

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('is one without %s', (name) => {
    expect(reason({ headers: { [name]: undefined } })).toBe('missing');
    expect(reason({ headers: { [name]: '' } })).toBe('missing');
    expect(reason({ headers: { [name]: ['a', 'b'] } })).toBe('malformed');
  });

  it.each(['a b', 'a.b', 'ä', 'a\n', '\0', 'x'.repeat(257), '\u202e'])('is one with the id %j', (bad) => {
    expect(reason({ headers: { 'webhook-id': bad } })).toBe('malformed');
  });

  it.each([
    '1614265330.0',
    '01614265330',
    ' 1614265330',
    '1614265330 ',
    '+1614265330',
    '-1614265330',
    '1e9',
    '0x6037bd72',
    'NaN',
    '１６１４２６５３３０',
    '9'.repeat(13),
  ])('is one with the time %j', (bad) => expect(reason({ headers: { 'webhook-timestamp': bad } })).toBe('malformed'));

  it('cannot be made by moving the full stops of a genuine one', () => {
    const moved = `${timestamp}.${body.toString()}`;
    const mac = createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
      .update(`${id}.${timestamp}.${moved}`)
      .digest('base64');
    const headers = { 'webhook-id': `${id}.${timestamp}`, 'webhook-signature': `v1,${mac}` };
    expect(reason({ headers })).toBe('malformed');
  });
});

describe('secrets', () => {
  it('are whsec_ and base64 of 24 to 64 bytes', () => {
    for (const size of [24, 25, 26, 32, 64])
      expect(isWebhookSecret(`whsec_${Buffer.alloc(size, 3).toString('base64')}`)).toBe(true);
    for (const size of [0, 1, 23, 65])
      expect(isWebhookSecret(`whsec_${Buffer.alloc(size, 3).toString('base64')}`)).toBe(false);
    for (const text of [
      '',
      'whsec_',
      secret.slice(6),
      `WHSEC_${secret.slice(6)}`,
      `${secret} `,
      `whsec_${'!'.repeat(40)}`,
      `whpk_${secret.slice(6)}`,
    ]) {
      expect(isWebhookSecret(text)).toBe(false);
    }
  });

  it('are made new each time', () => {
    expect(isWebhookSecret(generateWebhookSecret())).toBe(true);
    expect(generateWebhookSecret()).not.toBe(generateWebhookSecret());
  });

  it('that are none are an error of ours, not of the sender; it does not tell them', () => {
    expect(() => verify({ secrets: [secret, 'hunter2'] })).toThrow(/^not a webhook secret(?!.*hunter2)/);
    expect(() => signWebhook({ secret: 'hunter2', id, timestamp, body })).toThrow(/^not a webhook secret(?!.*hunter2)/);
  });

  it('sign no id or time that could not be verified', () => {
    for (const bad of ['', 'a.b', 'a b', 'x'.repeat(257)])
      expect(() => signWebhook({ secret, id: bad, timestamp, body })).toThrow('id');
    for (const bad of [0, -1, 1.5, NaN, 1e21])
      expect(() => signWebhook({ secret, id, timestamp: bad, body })).toThrow('timestamp');
  });
});
