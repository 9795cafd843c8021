import { randomBytes } from 'node:crypto';
import { createLocalJWKSet, createRemoteJWKSet, decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import type { TestGateway } from '../support/gateway.js';
import { createHandingGateway, handOver, redeem } from '../support/handed.js';
import { someDatabase } from '../support/some-database.js';
import { TestSource } from '../support/source.js';
import { change, count, dump, rows } from '../support/tables.js';
import { visit } from '../support/visit.js';

const PAGE = 'https://help.example/tickets/{number}?from=mail';
const seed = () => randomBytes(32).toString('base64');

describe.each(someDatabase)('the handoff by token on $name', (database) => {
  let test: TestGateway;
  const other = generateWebhookSecret();
  const handing = generateWebhookSecret();
  const desk = { adapter: 'zammad' as const, secrets: ['a signature token'] };
  beforeAll(async () => {
    test = await createHandingGateway(
      [
        { ticketPage: PAGE },
        { name: 'plain', secrets: [other] },
        { name: 'desk', ...desk, ticketPage: PAGE, handoffSecret: handing },
        { name: 'bare-desk', ...desk },
      ],
      { database },
    );
  });
  afterAll(() => test.close());
  beforeEach(() => test.clock.advance({ minutes: 61 }));

  it('leads from the right code to the page of the source, which learns once who came', async () => {
    const { address, headers, token } = await handOver(test, { ticket: { id: 'up/1', number: 'INC 7/ä' } });
    expect(address.href).toBe(`https://help.example/tickets/INC%207%2F%C3%A4?from=mail&handoff=${token}`);
    expect(token).toMatch(/^hof_[\w-]{43}$/);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('referrer-policy')).toBe('no-referrer');

    const verifiedAt = new Date(test.clock.now()).toISOString();
    test.clock.advance({ seconds: 30 });
    const answer = await redeem(test, token);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toEqual({
      ticket: { id: 'up/1', number: 'INC 7/ä' },
      email: 'siti@example.com',
      verifiedAt,
    });

    const again = await redeem(test, token);
    expect(again.status).toBe(410);
    expect(again.headers.get('content-type')).toContain('application/problem+json');
    expect(await again.json()).toMatchObject({ code: 'handoff-unusable' });
  });

  it('opens no session here: the guest is let in at one place, and logs out at one', async () => {
    const before = await count(test, 'sessions');
    const { guest } = await handOver(test);
    expect([...guest.cookies.keys()].filter((name) => name.includes('tkt_'))).toEqual([]);
    expect(await count(test, 'sessions')).toBe(before);
  });

  it('is stored as a hash only, and logged nowhere', async () => {
    const { token } = await handOver(test);
    await redeem(test, token);
    expect(await dump(test)).not.toContain(token.slice(4));
    expect(test.logs.join('\n')).not.toContain(token.slice(4));
  });

  it('ends with the minute, by the clock', async () => {
    const { token } = await handOver(test);
    test.clock.advance({ seconds: 59.999 });
    const other = await handOver(test, { email: 'budi@example.com' });
    expect((await redeem(test, token)).status).toBe(200);
    test.clock.advance({ seconds: 60 });
    expect((await redeem(test, other.token)).status).toBe(410);
  });

  it('ends with the link that it came from', async () => {
    const { token } = await handOver(test);
    await change(test, 'UPDATE participants SET generation = generation + 1');
    expect((await redeem(test, token)).status).toBe(410);
  });

  it('keeps no rows that are over: at most the last of each guest', async () => {
    const ticket = { id: 'kept', number: '1' };
    for (let times = 0; times < 3; times++) {
      await handOver(test, { ticket });
      test.clock.advance({ minutes: 61 });
    }
    const [participant] = await rows(test, 'participants', `email = 'siti@example.com'`).then((found) =>
      found.slice(-1),
    );
    expect(await count(test, 'handoffs', `participant_id = '${String(participant!.id)}'`)).toBe(1);
  });

  it('does not concern a source without a page of its own: its guests stay here', async () => {
    const source = new TestSource(test.url, other, test.clock, 'plain');
    const { page } = await visit({ ...test, source });
    expect(page.url).toContain(`${test.url}/tickets/tkt_`);
    expect(page.headers.get('content-security-policy')).toContain("form-action 'self';");
  });

  it('is redeemed by a secret of its own where events are signed otherwise', async () => {
    const { token } = await handOver(test);
    // The signature is good there, and the token of another source.
    expect((await redeem(test, token, { source: 'desk', secret: handing })).status).toBe(410);
    expect((await redeem(test, token, { source: 'desk' })).status).toBe(401);
    expect((await redeem(test, token, { source: 'bare-desk', secret: handing })).status).toBe(401);
    expect((await redeem(test, token)).status).toBe(200);
  });

  it('gives way to our own page where a number fits no address', async () => {
    const { address, guest } = await handOver(test, { ticket: { id: 'odd', number: '..' } });
    expect(address.origin).toBe(test.url);
    expect((await guest.get(address.pathname)).status).toBe(200);
  });

  it('allows the form of the code page, and no other page, to lead there', async () => {
    const { guest, link } = await handOver(test);
    test.clock.advance({ seconds: 61 });
    const landing = await guest.get(link);
    const code = await guest.submit(landing, '/code');
    const wrong = await guest.submit(code, '/verify', { code: 'x' });
    for (const { headers } of [code, wrong])
      expect(headers.get('content-security-policy')).toContain("form-action 'self' https://help.example;");
    for (const { headers } of [landing, await guest.get('/help')])
      expect(headers.get('content-security-policy')).toContain("form-action 'self';");
  });

  it.each<[string, number, string, Parameters<typeof redeem>[2]]>([
    ['without JSON', 415, 'unsupported-media-type', { headers: { 'content-type': 'text/plain' } }],
    ['with a body that is none', 400, 'invalid-json', { body: '{' }],
    ['with a key twice', 400, 'duplicate-key', { body: '{"token":"a","token":"b"}' }],
    ['with a key that reaches for a prototype', 400, 'forbidden-key', { body: '{"__proto__":{}}' }],
    ['that is nested too deep', 400, 'too-deep', { body: '[[[[[[]]]]]]' }],
    ['without a token', 422, 'invalid-request', { body: '{}' }],
    ['of a source that is not there', 404, 'unknown-source', { source: 'nobody' }],
  ])('answers a redemption %s by %i %s', async (_what, status, code, given) => {
    const answer = await redeem(test, 'hof_', given);
    expect([answer.status, await answer.json()]).toEqual([status, expect.objectContaining({ code })]);
  });
});

describe('the handoff by JWT', () => {
  let test: TestGateway;
  const [first, second] = [seed(), seed()];
  beforeAll(async () => {
    test = await createHandingGateway([{ ticketPage: PAGE, handoff: 'jwt' }], {
      settings: { HANDOFF_KEYS: `h1:${first}` },
    });
  });
  afterAll(() => test.close());
  beforeEach(() => test.clock.advance({ minutes: 61 }));

  const keys = async () => {
    const answer = await fetch(`${test.url}/.well-known/jwks.json`);
    return { answer, set: (await answer.json()) as { keys: { kid: string }[] } };
  };
  const verify = async (token: string, audience = 'https://help.example') =>
    jwtVerify(token, createLocalJWKSet((await keys()).set as Parameters<typeof createLocalJWKSet>[0]), {
      issuer: test.url,
      audience,
      algorithms: ['EdDSA'],
      currentDate: new Date(test.clock.now()),
    });

  it('says all that the page needs, and is verified by the published key', async () => {
    const { token, address } = await handOver(test, { ticket: { id: 'up-1', number: '77' } });
    expect(address.href).toBe(`https://help.example/tickets/77?from=mail&handoff=${token}`);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', kid: 'h1', typ: 'JWT' });
    const { payload } = await verify(token);
    const now = Math.floor(test.clock.now() / 1000);
    expect(payload).toEqual({
      iss: test.url,
      aud: 'https://help.example',
      sub: expect.stringMatching(/^ptc_/),
      ticket: { id: 'up-1', number: '77' },
      email: 'siti@example.com',
      email_verified: true,
      iat: now,
      exp: now + 60,
      jti: expect.stringMatching(/^[\w-]{22}$/),
    });
    expect(test.logs.join('\n')).not.toContain(token.slice(-40));
  });

  it('is good for a minute, for this page, and in one spelling', async () => {
    const { token } = await handOver(test);
    await expect(verify(token, 'https://evil.example')).rejects.toBeInstanceOf(errors.JWTClaimValidationFailed);
    const [head, payload, signature] = token.split('.');
    const forged = Buffer.from(JSON.stringify({ ...decodeJwt(token), email: 'eve@example.com' })).toString('base64url');
    await expect(verify([head, forged, signature].join('.'))).rejects.toBeInstanceOf(
      errors.JWSSignatureVerificationFailed,
    );
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    await expect(verify([none, payload, ''].join('.'))).rejects.toBeInstanceOf(errors.JOSEError);
    test.clock.advance({ seconds: 61 });
    await expect(verify(token)).rejects.toBeInstanceOf(errors.JWTExpired);
  });

  it('differs each time, so that a page can refuse a repeat by its jti', async () => {
    const tokens = [await handOver(test), await handOver(test, { email: 'budi@example.com' })];
    expect(new Set(tokens.map(({ token }) => decodeJwt(token).jti)).size).toBe(2);
  });

  it('has its keys published for five minutes, without the secret half and without a cookie', async () => {
    const { answer, set } = await keys();
    expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
    expect(answer.headers.get('content-type')).toContain('application/jwk-set+json');
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(set.keys).toEqual([
      { kty: 'OKP', crv: 'Ed25519', x: expect.any(String), kid: 'h1', alg: 'EdDSA', use: 'sig' },
    ]);
    expect(JSON.stringify(set)).not.toContain(Buffer.from(first, 'base64').toString('base64url'));
    const remote = createRemoteJWKSet(new URL(`${test.url}/.well-known/jwks.json`));
    const { token } = await handOver(test);
    await jwtVerify(token, remote, { currentDate: new Date(test.clock.now()) });
  });

  it('survives a change of keys: what the old one signed is believed until it is taken out', async () => {
    const { token: old } = await handOver(test);
    await test.restart({ HANDOFF_KEYS: `h2:${second},h1:${first}` });
    expect((await keys()).set.keys.map(({ kid }) => kid)).toEqual(['h2', 'h1']);
    const { token: young } = await handOver(test, { email: 'budi@example.com' });
    expect(decodeProtectedHeader(young).kid).toBe('h2');
    await verify(old);
    await verify(young);
    await test.restart({ HANDOFF_KEYS: `h2:${second}` });
    await verify(young);
    await expect(verify(old)).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
  });
});
