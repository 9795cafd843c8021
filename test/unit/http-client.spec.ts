import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createServer as createRawServer, type AddressInfo, type Server as RawServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { HttpClient, HttpStreamError, type HttpClientOptions } from '../../src/platform/http-client.js';
import { counted } from '../support/counted.js';

// A certificate of its own for secure.test, 2020 to 2120; the key guards nothing but this file.
const CERTIFICATE =
  'MIIBZjCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtzZWN1cmUudGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFjEUMBIGA1UEAwwLc2VjdXJlLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT2tH5IpLquxj5UEPnDbt70EYD99P+l+2zR99f0g1AiQAdfjMAeKliisLmqqynFsUWMUNZhBpanUxLCxY4CYm2Oo0owSDAWBgNVHREEDzANggtzZWN1cmUudGVzdDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBQaBbHowl75C4f/D43LmQsuNtDj9DAKBggqhkjOPQQDAgNHADBEAiBaBnKyXKbizhPdQ2H9xi289c04Iy6wPaqX32zGLRDnPQIgNLTr27Rl1VJFRuMAGQA3KT9jmKR0HbReos6vJAiIX6c=';
const PRIVATE_KEY =
  'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmhEO/ydca4PN3MVQDwWSzdPCxTHWiN9gy0QRh6lxCx2hRANCAAT2tH5IpLquxj5UEPnDbt70EYD99P+l+2zR99f0g1AiQAdfjMAeKliisLmqqynFsUWMUNZhBpanUxLCxY4CYm2O';
const pem = (kind: string, base64: string): string => `-----BEGIN ${kind}-----\n${base64}\n-----END ${kind}-----\n`;

const closers: (() => void)[] = [];

async function listen(server: Server | RawServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const serve = (handle: RequestListener): Promise<number> => listen(createServer(handle));

function client(options: Partial<HttpClientOptions> = {}): HttpClient {
  const made = new HttpClient({
    allowPrivateHosts: ['127.0.0.1', 'local.test'],
    resolve: always('127.0.0.1'),
    ...options,
  });
  closers.push(() => made.close());
  return made;
}

const always =
  (...addresses: string[]) =>
  async (): Promise<string[]> =>
    addresses;

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

describe('the public internet only', () => {
  /** Hosts as URLs spell them. */
  const literals = `
    127.0.0.1 127.0.0.2 127.255.255.254 127.1 127.0.1 0x7f.1 0x7f000001 2130706433 017700000001 0177.0.0.1 0x7f.0x0.0x0.0x1
    127。0。0。1 １２７.０.０.１ 127%2e0%2e0%2e1 0 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 0xa.1 172.16.0.1 172.31.255.254
    192.168.0.1 192.168.1 0xc0a80001 3232235521 169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376 169.254.0.1
    100.64.0.1 100.100.100.200 100.127.255.255 192.0.0.1 192.0.0.192 192.0.2.1 198.51.100.7 203.0.113.9 198.18.0.1
    198.19.255.255 192.88.99.1 192.31.196.1 192.52.193.1 192.175.48.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    168.63.129.16
    [::] [::1] [0:0:0:0:0:0:0:1] [::127.0.0.1] [::7f00:1] [::8.8.8.8] [::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:10.0.0.1]
    [::ffff:8.8.8.8] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::a00:1] [64:ff9b:1::1] [100::1] [2001::1]
    [2001:0:4136:e378::1] [2001:2::1] [2001:3::1] [2001:4:112::1] [2001:10::1] [2001:20::1] [2001:30::1] [2001:db8::1]
    [2002:7f00:1::] [2002:a00:1::1] [2620:4f:8000::1] [3fff::1] [5f00::1] [4000::1] [fc00::1] [fd00:ec2::254] [fe80::1]
    [fe80::a9fe:a9fe] [fec0::1] [ff02::1] [ff0e::1]`
    .trim()
    .split(/\s+/);

  it.each(literals)('refuses the address written %s', async (host) => {
    expect(await client({ allowPrivateHosts: [] }).post(`https://${host}:9/`, '', {})).toMatchObject({
      ok: false,
      reason: 'refused-address',
      mayHaveArrived: false,
    });
    counted('addresses of inner networks', 1);
  });

  it('knows more than sixty of them', () => expect(new Set(literals).size).toBeGreaterThan(60));

  it.each(literals.filter((host) => /^\[|^\d+\.\d+\.\d+\.\d+$/.test(host) && !/^0\d/.test(host)))(
    'refuses a name that resolves to %s',
    async (host) => {
      const resolve = always(host.replace(/[[\]]/g, ''));
      expect(await client({ resolve }).post('https://help.example/', '', {})).toMatchObject({
        reason: 'refused-address',
      });
      counted('addresses of inner networks', 1);
    },
  );

  it.each(['fe80::1%eth0', '2606:4700::1%lo', 'localhost', '', '127.1', '1.1.1.1 '])(
    'refuses a resolver answer that is not a plain address: "%s"',
    async (address) => {
      const outcome = await client({ resolve: always(address) }).post('https://help.example/', '', {});
      expect(outcome).toMatchObject({ reason: 'refused-address' });
    },
  );

  it('refuses a name if only one of its addresses is private', async () => {
    let hits = 0;
    const port = await serve((_request, response) => void (hits++, response.end()));
    const resolve = always('2fff::1', '127.0.0.1');
    const outcome = await client({ resolve }).post(`https://help.example:${port}/`, '', {});
    expect(outcome).toEqual({
      ok: false,
      reason: 'refused-address',
      detail: 'the address is loopback',
      mayHaveArrived: false,
    });
    expect(hits).toBe(0);
  });

  it('asks the resolver once, so that a second, private answer never counts', async () => {
    let hits = 0;
    const port = await listen(createRawServer(() => hits++));
    const answers = [['2fff::1'], ['127.0.0.1'], ['127.0.0.1']]; // 2fff::/16 is nobody's: nothing ever answers
    let asked = 0;
    const rebinding = client({ resolve: async () => answers[asked++] ?? [], timeoutMs: 100 });
    const first = await rebinding.post(`https://rebind.example:${port}/`, '', {});
    expect(first.ok || first.reason).toMatch(/^(connect|timeout)$/);
    expect(asked).toBe(1);
    expect(await rebinding.post(`https://rebind.example:${port}/`, '', {})).toMatchObject({
      reason: 'refused-address',
    });
    expect([asked, hits]).toEqual([2, 0]);
  });

  it('lets a public address through to the connection', async () => {
    const outcome = await client({ resolve: always('2fff::1'), timeoutMs: 100 }).post('https://help.example/', '', {});
    expect(outcome).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/^(connect|timeout)$/),
      mayHaveArrived: false,
    });
  });
});

describe('URLs', () => {
  it.each([
    'http://help.example/',
    'ftp://help.example/',
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    'data:text/plain,x',
    'javascript:alert(1)',
    '//help.example/',
    'help.example',
    '',
    'https://',
    'https://1.2.3.4.5/',
    'https://user@help.example/',
    'https://user:secret@help.example/',
    'https://:secret@127.0.0.1/',
    'http://127.0.0.1.help.example/',
    'http://local.test@help.example/',
    'https://help.example:99999/',
    'https://help example/',
  ])('refuses %s', async (url) => {
    const outcome = await client().post(url, '', {});
    expect(outcome).toMatchObject({ ok: false, reason: 'refused-url', mayHaveArrived: false });
    expect(JSON.stringify(outcome)).not.toContain('secret');
  });

  it('takes plain http and a private address only for a host on the list', async () => {
    const port = await serve((_request, response) => response.end('in'));
    const body = Buffer.from('in');
    expect(await client().post(`http://local.test:${port}/`, '', {})).toMatchObject({ ok: true, body });
    expect(await client().post(`http://LOCAL.test:${port}/`, '', {})).toMatchObject({ ok: true, body });
    expect(await client().post(`http://127.1:${port}/`, '', {})).toMatchObject({ ok: true, body });
    expect(await client().post(`http://other.test:${port}/`, '', {})).toMatchObject({ reason: 'refused-url' });
    expect(await client().post(`https://other.test:${port}/`, '', {})).toMatchObject({ reason: 'refused-address' });
    expect(await client().post(`http://local.test.:${port}/`, '', {})).toMatchObject({ reason: 'refused-url' });
  });

  it('resolves by the system when no resolver is given', async () => {
    const port = await serve((_request, response) => response.end());
    const system = client({ allowPrivateHosts: ['LocalHost'], resolve: undefined });
    expect(await system.post(`http://localhost:${port}/`, '', {})).toMatchObject({ ok: true });
    expect(
      await client({ allowPrivateHosts: [], resolve: undefined }).post('https://localhost/', '', {}),
    ).toMatchObject({
      reason: 'refused-address',
    });
  });
});

describe('posting', () => {
  it('sends body and headers as given, to the host of the URL whatever the headers say', async () => {
    const port = await serve(async (request, response) => {
      const { host, 'content-length': length, 'x-mine': mine } = request.headers;
      response.setHeader('x-back', 'yes').writeHead(202);
      response.end(
        JSON.stringify({ method: request.method, url: request.url, host, length, mine, body: await text(request) }),
      );
    });
    const headers = { 'x-mine': '1', Host: 'evil.example', 'Content-Length': '1' };
    const outcome = await client().post(`http://local.test:${port}/a?b=c#d`, 'süß', headers);
    if (!outcome.ok) throw new Error(outcome.reason);
    expect([outcome.status, outcome.headers['x-back']]).toEqual([202, 'yes']);
    expect(JSON.parse(outcome.body.toString())).toEqual({
      method: 'POST',
      url: '/a?b=c',
      host: `local.test:${port}`,
      length: '5',
      mine: '1',
      body: 'süß',
    });
  });

  it.each([200, 204, 400, 410, 429, 500, 503])('hands on the answer %d as it is', async (status) => {
    const port = await serve((_request, response) => response.writeHead(status, { 'retry-after': '7' }).end());
    const outcome = await client().post(`http://local.test:${port}/`, '', {});
    expect(outcome).toMatchObject({ ok: true, status, headers: { 'retry-after': '7' } });
  });

  it.each([300, 301, 302, 303, 304, 307, 308])(
    'takes a redirect (%d) for a failure and does not follow it',
    async (status) => {
      const paths: (string | undefined)[] = [];
      const port = await serve((request, response) => {
        paths.push(request.url);
        response.writeHead(status, { location: '/secret-place' }).end('x');
      });
      const outcome = await client().post(`http://local.test:${port}/`, '', {});
      expect(outcome).toEqual({
        ok: false,
        reason: 'redirect',
        detail: `status ${status}`,
        status,
        mayHaveArrived: true,
        location: '/secret-place',
      });
      expect(paths).toEqual(['/']);
    },
  );

  it('takes an answer of exactly the largest size, and not a byte more', async () => {
    const port = await serve((request, response) => response.end('x'.repeat(Number(request.url?.slice(1)))));
    expect(await client().post(`http://local.test:${port}/65536`, '', {})).toMatchObject({ ok: true });
    const outcome = await client().post(`http://local.test:${port}/65537`, '', {});
    expect(outcome).toMatchObject({ ok: false, reason: 'too-large', status: 200, mayHaveArrived: true });
  });

  it('stops reading an answer that never ends', async () => {
    const port = await serve((_request, response) => {
      const more = (): void =>
        void (response.write('x'.repeat(16_384)) ? setImmediate(more) : response.once('drain', more));
      response.on('error', () => undefined);
      more();
    });
    expect(await client().post(`http://local.test:${port}/`, '', {})).toMatchObject({ reason: 'too-large' });
  });

  it('gives up on a silent server, saying that the request may have arrived', async () => {
    const port = await serve(() => undefined);
    const outcome = await client({ timeoutMs: 60 }).post(`http://local.test:${port}/`, '', {});
    expect(outcome).toEqual({ ok: false, reason: 'timeout', detail: 'not done within 60 ms', mayHaveArrived: true });
  });

  it('counts the whole time, so a trickle of bytes does not help', async () => {
    let trickle: NodeJS.Timeout | undefined;
    const port = await serve((_request, response) => void (trickle = setInterval(() => response.write('x'), 5)));
    expect(await client({ timeoutMs: 60 }).post(`http://local.test:${port}/`, '', {})).toMatchObject({
      reason: 'timeout',
    });
    clearInterval(trickle);
  });

  it('counts the resolver into the time', async () => {
    const resolve = (): Promise<string[]> => new Promise(() => undefined);
    const outcome = await client({ resolve, timeoutMs: 30 }).post('https://help.example/', '', {});
    expect(outcome).toMatchObject({ reason: 'timeout', mayHaveArrived: false });
  });

  it.each(['ENOTFOUND', 'EAI_AGAIN'])('names a resolver failure (%s)', async (code) => {
    const resolve = (): Promise<string[]> => Promise.reject(Object.assign(new Error('with a secret'), { code }));
    const outcome = await client({ resolve }).post('https://help.example/', '', {});
    expect(outcome).toEqual({ ok: false, reason: 'dns', detail: code, mayHaveArrived: false });
  });

  it('calls a name without addresses unknown', async () => {
    expect(await client({ resolve: always() }).post('https://help.example/', '', {})).toMatchObject({ reason: 'dns' });
  });

  it('says that a refused connection has carried nothing', async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const outcome = await client().post(`http://local.test:${port}/`, '', {});
    expect(outcome).toEqual({ ok: false, reason: 'connect', detail: 'ECONNREFUSED', mayHaveArrived: false });
  });

  it.each([
    ['closes at once', ''],
    ['is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
    ['breaks off in the middle', 'HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf'],
    ['has two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'],
    ['has endless headers', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`],
  ])('fails at a server that %s', async (_what, bytes) => {
    const port = await listen(
      createRawServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end(bytes))),
    );
    const outcome = await client().post(`http://local.test:${port}/`, '', {});
    expect(outcome).toMatchObject({ ok: false, reason: 'connect', mayHaveArrived: true });
  });

  it('ends with the caller who gives up, before or in the middle', async () => {
    const given = new AbortController();
    const port = await serve(() => given.abort());
    const before = await client().post('https://help.example/', '', {}, { signal: AbortSignal.abort() });
    expect(before).toMatchObject({ reason: 'aborted', mayHaveArrived: false });
    const middle = await client().post(`http://local.test:${port}/`, '', {}, { signal: given.signal });
    expect(middle).toMatchObject({ reason: 'aborted', mayHaveArrived: true });
  });
});

describe('kept connections', () => {
  it('are used again for their own host and port only', async () => {
    const sockets: string[] = [];
    const handle =
      (name: string): RequestListener =>
      (request, response) =>
        void response.end(`${name}:${request.headers.host}`);
    const one = createServer(handle('one')).on('connection', () => sockets.push('one'));
    const two = createServer(handle('two')).on('connection', () => sockets.push('two'));
    const [a, b] = [await listen(one), await listen(two)];
    const shared = client({ allowPrivateHosts: ['a.test', 'b.test'] });
    const ask = async (url: string): Promise<string> => {
      const outcome = await shared.post(url, '', {});
      await new Promise(setImmediate); // the agent takes the socket back after the answer
      return outcome.ok ? outcome.body.toString() : outcome.reason;
    };
    expect(await ask(`http://a.test:${a}/`)).toBe(`one:a.test:${a}`);
    expect(await ask(`http://a.test:${a}/`)).toBe(`one:a.test:${a}`);
    expect(sockets).toEqual(['one']);
    expect(await ask(`http://b.test:${a}/`)).toBe(`one:b.test:${a}`);
    expect(await ask(`http://a.test:${b}/`)).toBe(`two:a.test:${b}`);
    expect(sockets).toEqual(['one', 'one', 'two']);
  });

  it('are not kept after a failure', async () => {
    let sockets = 0;
    const server = createServer((_request, response) => void response.writeHead(302, { location: '/' }).end());
    const port = await listen(server.on('connection', () => sockets++));
    const shared = client();
    for (let i = 0; i < 3; i++) await shared.post(`http://local.test:${port}/`, '', {});
    expect(sockets).toBe(3);
  });
});

describe('what a failure leaves behind', () => {
  it('is a closed connection', async () => {
    let closed: Promise<void> | undefined;
    const port = await serve((request) => {
      closed = new Promise((resolve) => request.socket.once('close', () => resolve()));
    });
    await client({ timeoutMs: 60 }).post(`http://local.test:${port}/`, '', {});
    await closed;
  });

  it('on a kept connection is the warning that the request may have arrived', async () => {
    let requests = 0;
    const port = await serve((request, response) => (++requests === 1 ? response.end() : request.socket.destroy()));
    const shared = client();
    expect(await shared.post(`http://local.test:${port}/`, '', {})).toMatchObject({ ok: true });
    await new Promise(setImmediate); // the agent takes the socket back after the answer
    const outcome = await shared.post(`http://local.test:${port}/`, '', {});
    expect(outcome).toMatchObject({ reason: 'connect', detail: 'ECONNRESET', mayHaveArrived: true });
  });
});

describe('https', () => {
  const cert = pem('CERTIFICATE', CERTIFICATE);

  async function secure(): Promise<{ port: number; names: (string | false | null | undefined)[] }> {
    const names: (string | false | null | undefined)[] = [];
    const server = createSecureServer({ cert, key: pem('PRIVATE KEY', PRIVATE_KEY) }, (request, response) =>
      response.end(request.headers.host),
    );
    server.on('secureConnection', (socket) => names.push(socket.servername));
    server.on('tlsClientError', () => undefined);
    return { port: await listen(server), names };
  }

  it('connects to the checked address under the name of the URL', async () => {
    const { port, names } = await secure();
    const outcome = await client({ allowPrivateHosts: ['secure.test'], ca: cert }).post(
      `https://secure.test:${port}/`,
      '',
      {},
    );
    expect(outcome.ok && outcome.body.toString()).toBe(`secure.test:${port}`);
    expect(names).toEqual(['secure.test']);
  });

  it.each([
    ['another name', 'other.test', cert],
    ['no trusted issuer', 'secure.test', undefined],
  ])('refuses a certificate with %s, before anything is sent', async (_what, host, ca) => {
    const { port } = await secure();
    const outcome = await client({ allowPrivateHosts: [host], ca }).post(`https://${host}:${port}/`, 'secret', {});
    expect(outcome).toMatchObject({ ok: false, reason: 'tls', mayHaveArrived: false });
  });

  it('says after the handshake that the request may have arrived', async () => {
    const { port } = await secure();
    const limited = client({ allowPrivateHosts: ['secure.test'], ca: cert, maxAnswerBytes: 5 });
    const outcome = await limited.post(`https://secure.test:${port}/`, '', {});
    expect(outcome).toMatchObject({ reason: 'too-large', mayHaveArrived: true });
  });

  it('refuses a server that speaks no TLS', async () => {
    const port = await serve((_request, response) => response.end());
    expect(await client().post(`https://local.test:${port}/`, '', {})).toMatchObject({
      reason: 'tls',
      mayHaveArrived: false,
    });
  });
});

describe('streams', () => {
  const get = async (url: string, maxBytes: number, timeoutMs?: number): Promise<string> => {
    const outcome = await client().getStream(url, { maxBytes, timeoutMs, headers: { 'x-key': '1' } });
    if (!outcome.ok) return outcome.reason;
    return text(outcome.stream).catch((error: Error) =>
      error instanceof HttpStreamError ? `broke off: ${error.reason}` : String(error),
    );
  };

  it('hand on a large answer', async () => {
    const port = await serve((request, response) => response.end(String(request.headers['x-key']).repeat(300_000)));
    expect(await get(`http://local.test:${port}/`, 300_000)).toHaveLength(300_000);
  });

  it('refuse one that announces too much, and break off one that does not say', async () => {
    const port = await serve((request, response) => {
      if (request.url === '/said') response.setHeader('content-length', 11);
      response.end('x'.repeat(11));
    });
    expect(await get(`http://local.test:${port}/said`, 10)).toBe('too-large');
    const chunked = await serve((_request, response) => void (response.write('x'.repeat(10)), response.end('x')));
    expect(await get(`http://local.test:${chunked}/`, 10)).toBe('broke off: too-large');
    expect(await get(`http://local.test:${chunked}/`, 11)).toBe('x'.repeat(11));
  });

  it('break off when the time is over or the server goes away', async () => {
    const slow = await serve((_request, response) => void response.write('x'));
    expect(await get(`http://local.test:${slow}/`, 10, 60)).toBe('broke off: timeout');
    const gone = await serve((_request, response) => void response.write('x', () => response.destroy()));
    expect(await get(`http://local.test:${gone}/`, 10)).toBe('broke off: connect');
  });

  it('harm nobody when their caller forgets them', async () => {
    const port = await serve((_request, response) => void response.write('x'));
    const outcome = await client().getStream(`http://local.test:${port}/`, { maxBytes: 10, timeoutMs: 30 });
    if (!outcome.ok) throw new Error(outcome.reason);
    await new Promise((resolve) => outcome.stream.once('close', resolve));
    expect(outcome.stream.errored).toBeInstanceOf(HttpStreamError);
  });

  it('know the same limits of where they may go', async () => {
    expect(await get('https://169.254.169.254/latest/meta-data/', 10)).toBe('refused-address');
    expect(await get('http://help.example/', 10)).toBe('refused-url');
    const port = await serve((_request, response) => response.writeHead(302, { location: 'http://127.0.0.1/' }).end());
    expect(await get(`http://local.test:${port}/`, 10)).toBe('redirect');
  });
});
