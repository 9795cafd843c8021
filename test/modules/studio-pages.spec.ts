import { createGateway, type TestGateway } from '../support/gateway.js';

describe('the files of the studio', () => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway();
  });
  afterAll(() => test.close());

  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(test.url + path, { method, headers: { 'accept-encoding': 'identity', ...headers } });

  it('are one page for all addresses, with a nonce of its own each time', async () => {
    const nonces = new Set<string>();
    for (const path of [
      '/studio',
      '/studio/',
      '/studio/words/ticket-replied/pt-BR',
      '/studio/sign-in',
      '/studio/first',
    ]) {
      const answer = await ask(path);
      expect([path, answer.status]).toEqual([path, 200]);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const nonce = /<meta name="style-nonce" nonce="([\w-]{16,})"/.exec(await answer.text())?.[1];
      expect(answer.headers.get('content-security-policy')).toContain(`'nonce-${nonce}'`);
      expect(answer.headers.get('content-security-policy')).toContain("script-src 'self';");
      nonces.add(nonce!);
    }
    expect(nonces.size).toBe(5);
  });

  it('hold nothing inline', async () => {
    const html = await (await ask('/studio')).text();
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=/);
  });

  it('may be kept for ever, and come compressed to whoever takes that', async () => {
    const [, script] = /src="(\/studio\/assets\/[^"]+)"/.exec(await (await ask('/studio')).text())!;
    const plain = await ask(script!);
    expect(plain.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(plain.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(plain.headers.get('x-content-type-options')).toBe('nosniff');
    const text = await plain.text();
    for (const [accepted, encoding] of [
      ['gzip, deflate, br', 'br'],
      ['gzip;q=1.0, br;q=0', 'gzip'],
      ['br;q=0, gzip;q=0', null],
    ] as const) {
      const answer = await ask(script!, { 'accept-encoding': accepted });
      expect([accepted, answer.headers.get('content-encoding')]).toEqual([accepted, encoding]);
      expect(await answer.text()).toBe(text);
    }
  });

  it('are not there where nothing is', async () => {
    for (const path of ['/studio/nowhere', '/studio/words/x', '/studio/../studio/nowhere/at/all']) {
      const answer = await ask(path);
      expect([path, answer.status]).toEqual([path, 404]);
      expect(answer.headers.get('content-type')).toContain('text/html');
    }
    for (const path of ['/studio/assets/nothing.js', '/studio/assets/..%2findex.html', '/studio/api/nothing']) {
      const answer = await ask(path);
      expect([path, answer.status]).toEqual([path, 404]);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
    }
    expect((await ask('/studio', {}, 'HEAD')).status).toBe(200);
    expect((await ask('/studio', {}, 'POST')).status).toBe(404);
  });

  it('are gone with STUDIO=off', async () => {
    await test.restart({ STUDIO: 'off' });
    for (const path of ['/studio', '/studio/sign-in', '/studio/assets/index.js', '/studio/api/me'])
      expect([path, (await ask(path)).status]).toEqual([path, 404]);
  });
});
