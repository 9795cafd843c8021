import fc from 'fast-check';
import { createHash, createVerify, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:net';
import { smtpDurations, type SmtpDurations } from '../../src/delivery/transports/smtp-session.js';
import { SmtpTransport, type SmtpOptions } from '../../src/delivery/transports/smtp.js';
import type { Mail, TransportOutcome } from '../../src/delivery/transports/transport.js';
import {
  authority,
  type Peer,
  startScriptedSmtp,
  type Certificate,
  type Script,
  type ScriptedSmtp,
} from '../support/scripted-smtp.js';

// What a transport says of a mail must be what the server knows of it: every way to misbehave, and what follows.

const text = 'Subject: Hello\r\nTo: siti@example.com\r\n\r\nHello\r\n';
function mail(body: Buffer | string = text, given: { from?: string; to?: string } = {}): Mail {
  const bytes = Buffer.from(body);
  return {
    deliveryId: 'dlv_1',
    from: given.from ?? 'bounces@support.example',
    to: given.to ?? 'siti@example.com',
    mime: () => Buffer.from(bytes),
    content: () => {
      throw new Error('SMTP takes finished mails');
    },
  };
}

let server: ScriptedSmtp;
let transport: SmtpTransport | undefined;
beforeEach(async () => {
  server = await startScriptedSmtp();
});
afterEach(async () => {
  transport?.close();
  transport = undefined;
  await server.close();
});

interface Given extends SmtpOptions {
  connections?: number;
  login?: boolean;
  host?: string;
  secure?: boolean;
  port?: number;
}

function connect({ connections = 1, login, host = '127.0.0.1', secure = false, port, ...options }: Given = {}) {
  const account = login ? { user: 'postern', password: 'secret word' } : { user: null, password: null };
  const settings = { kind: 'smtp' as const, name: 'smtp', host, port: port ?? server.port, secure, ...account };
  transport = new SmtpTransport(settings, connections, { ca: authority, ...options });
  return transport;
}

const SILENCE_MS = 400;
const silent = () => undefined;
const plainEhlo: Script = { ehlo: '250 scripted.example' };
const withLogin: Script['ehlo'] = (peer) => peer.offer('AUTH PLAIN LOGIN');
const withTls: Script['ehlo'] = (peer) => peer.offer('STARTTLS');
const big = Buffer.from(`Subject: Big\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(160_000)}`);

type Expected = 'accepted' | 'rejected' | 'uncertain' | 'deferred mail' | 'deferred transport';
interface Case extends Given {
  what: string;
  script: Script;
  is: Expected;
  /** Mails that the server took, by its own word. */
  took?: number;
  detail?: RegExp;
  mail?: Mail;
}

const refusals: Case[] = (['mail', 'rcpt', 'data', 'dot'] as const).flatMap((step) =>
  [true, false].flatMap((isPipelined) => {
    const how = isPipelined ? '' : ' without PIPELINING';
    const refuse = (code: number): Script => ({
      ...(isPipelined ? {} : plainEhlo),
      // RFC 5321 3.3: without a recipient DATA is refused too; a server that takes it anyway has its own case.
      ...(step === 'mail' || step === 'rcpt' ? { data: '503 5.5.1 no recipient' } : {}),
      ...(step === 'mail' ? { rcpt: '503 5.5.1 no sender' } : {}),
      [step]: `${code} x.y.z words of the server`,
    });
    const detail = /words of the server/;
    return [
      ...[450, 451, 452].map((code) => ({
        what: `${code} at ${step}${how}`,
        script: refuse(code),
        is: 'deferred mail' as const,
        detail,
      })),
      ...[550, 551, 552, 553, 554].map((code) => ({
        what: `${code} at ${step}${how}`,
        script: refuse(code),
        is: 'rejected' as const,
        detail,
      })),
      ...[530, 535].map((code) => ({
        what: `${code} at ${step}, which is about us${how}`,
        script: refuse(code),
        is: 'deferred transport' as const,
        detail,
      })),
      {
        what: `421 at ${step}${how}`,
        script: {
          ...(isPipelined ? {} : plainEhlo),
          [step]: (peer: Peer) => {
            peer.say('421 4.3.2 words of the server');
            peer.end();
          },
        },
        is: 'deferred transport' as const,
        detail,
      } satisfies Case,
    ];
  }),
);

const reset: Script['mail'] = (peer) => peer.reset();
const end: Script['mail'] = (peer) => peer.end();
const garbage = '\u0000\u00ff\u0001 what do you want';

const lost: Case[] = [
  ...(['greeting', 'ehlo', 'mail', 'rcpt', 'data'] as const).flatMap((step): Case[] => [
    { what: `reset at ${step}`, script: { [step]: reset }, is: 'deferred transport' },
    { what: `end of the connection at ${step}`, script: { [step]: end }, is: 'deferred transport' },
    {
      what: `garbage at ${step}`,
      script: { [step]: garbage, ...(step === 'rcpt' ? { data: '503 5.5.1 no recipient' } : {}) },
      // Then HELO, which is answered.
      ...(step === 'ehlo' ? { is: 'accepted', took: 1 } : { is: 'deferred transport' }),
      durations: { greeting: SILENCE_MS },
    },
    {
      what: `no answer at ${step}`,
      script: { [step]: silent },
      is: 'deferred transport',
      durations: { greeting: SILENCE_MS, command: SILENCE_MS },
    },
    {
      what: `an answer that never ends at ${step}, a byte at a time`,
      script: {
        [step]: (peer: Peer) =>
          peer.sayInParts(
            Array.from({ length: 1000 }, () => '2'),
            20,
          ),
      },
      is: 'deferred transport',
      durations: { greeting: SILENCE_MS, command: SILENCE_MS },
    },
    {
      what: `lines without end at ${step}`,
      script: {
        [step]: (peer: Peer) =>
          peer.sayInParts(
            Array.from({ length: 1000 }, () => '250-and\r\n'),
            20,
          ),
      },
      is: 'deferred transport',
      durations: { greeting: SILENCE_MS, command: SILENCE_MS },
    },
    {
      what: `a line of a megabyte at ${step}`,
      script: { [step]: (peer: Peer) => peer.raw('2'.repeat(1_000_000)) },
      is: 'deferred transport',
    },
  ]),
  { what: '250 instead of 354', script: { data: '250 ok' }, is: 'deferred transport' },
  { what: 'reset in the middle of the data', script: { half: reset }, mail: mail(big), is: 'deferred transport' },
  {
    what: 'data that are not taken any more',
    script: { half: (peer) => peer.socket.pause() },
    mail: mail(big),
    durations: { block: SILENCE_MS },
    is: 'deferred transport',
  },
  {
    what: '552 in the middle of the data',
    script: {
      half: (peer) => {
        peer.socket.pause();
        peer.say('552 5.3.4 too big');
      },
    },
    mail: mail(big),
    is: 'rejected',
  },
  {
    what: '250 in the middle of the data',
    script: {
      half: (peer) => {
        peer.socket.pause();
        peer.say('250 ok');
      },
    },
    mail: mail(big),
    is: 'deferred transport',
  },
];

const afterTheDot: Case[] = [
  {
    what: 'reset after the final dot, taken',
    script: {
      dot: (peer) => {
        peer.take();
        peer.reset();
      },
    },
    is: 'uncertain',
    took: 1,
  },
  { what: 'reset after the final dot, not taken', script: { dot: reset }, is: 'uncertain' },
  { what: 'end of the connection after the final dot', script: { dot: end }, is: 'uncertain' },
  {
    what: 'reset when the beginning is there of a mail that was written in one piece',
    script: { half: reset },
    is: 'uncertain',
  },
  {
    what: 'no answer after the final dot',
    script: { dot: silent },
    is: 'uncertain',
    durations: { afterData: SILENCE_MS },
  },
  {
    what: 'an answer after the final dot that never ends',
    script: {
      dot: (peer) =>
        peer.sayInParts(
          Array.from({ length: 1000 }, () => '2'),
          20,
        ),
    },
    is: 'uncertain',
    durations: { afterData: SILENCE_MS },
  },
  { what: 'garbage after the final dot', script: { dot: garbage }, is: 'uncertain' },
  { what: 'a 2 that is no reply after the final dot', script: { dot: '2 apples' }, is: 'uncertain' },
  { what: '354 after the final dot', script: { dot: '354 go on' }, is: 'uncertain' },
  {
    what: 'a 250 that is there before the mail is',
    script: { data: (peer) => peer.raw('354 go on\r\n250 taken\r\n'), dot: silent },
    is: 'uncertain',
  },
  {
    what: 'half of a 250 and then the end',
    script: {
      dot: (peer) => {
        peer.take();
        peer.raw('25');
        peer.end();
      },
    },
    is: 'uncertain',
    took: 1,
  },
  {
    what: '250 after minutes',
    script: {
      dot: (peer) => {
        peer.take();
        void peer.sayLater('250 taken', 3 * SILENCE_MS);
      },
    },
    durations: { command: SILENCE_MS, block: SILENCE_MS, afterData: 60 * SILENCE_MS },
    is: 'accepted',
    took: 1,
  },
];

const ways: Case[] = [
  { what: 'nothing unusual', script: {}, is: 'accepted', took: 1, detail: /^250 2\.0\.0 taken$/ },
  { what: 'no extensions', script: plainEhlo, is: 'accepted', took: 1 },
  { what: 'HELO only', script: { ehlo: '502 5.5.1 what' }, is: 'accepted', took: 1 },
  {
    what: 'answers of several lines',
    script: {
      greeting: '220-welcome\r\n220 ESMTP',
      mail: '250-sender\r\n250 ok',
      rcpt: '250-rcpt\r\n250-is\r\n250 ok',
      data: '354-go\r\n354 on',
      dot: (peer) => peer.take('250-taken\r\n250 as 17'),
    },
    is: 'accepted',
    took: 1,
  },
  {
    what: 'answers in small packets',
    script: Object.fromEntries(
      Object.entries({ greeting: '220 hello\r\n', mail: '250 ok\r\n', rcpt: '250 ok\r\n', data: '354 go\r\n' }).map(
        ([step, line]) => [step, (peer: Peer) => peer.sayInParts(line.split(/(?<=[\r\d])/), 2)],
      ),
    ),
    is: 'accepted',
    took: 1,
  },
  {
    what: 'a slow greeting',
    script: { greeting: (peer) => peer.sayLater('220 at last', SILENCE_MS) },
    is: 'accepted',
    took: 1,
  },
  {
    what: 'a greeting later than we wait',
    script: { greeting: (peer) => peer.sayLater('220 at last', 3 * SILENCE_MS) },
    durations: { greeting: SILENCE_MS },
    is: 'deferred transport',
  },
  {
    what: 'each answer nearly as late as it may be',
    script: {
      ...plainEhlo,
      mail: (peer) => peer.sayLater('250 ok', SILENCE_MS),
      rcpt: (peer) => peer.sayLater('250 ok', SILENCE_MS),
      data: (peer) => peer.sayLater('354 ok', SILENCE_MS),
    },
    durations: { command: 2.5 * SILENCE_MS },
    is: 'accepted',
    took: 1,
  },
  { what: '421 as greeting', script: { greeting: '421 4.3.2 not now' }, is: 'deferred transport', detail: /421/ },
  { what: '554 as greeting', script: { greeting: '554 5.7.1 not you' }, is: 'deferred transport', detail: /554/ },
  {
    what: 'HELO refused too',
    script: { ehlo: '550 5.7.1 not you', helo: '550 5.7.1 not you' },
    is: 'deferred transport',
  },
  {
    what: '504 at the recipient, for the name in EHLO',
    script: { rcpt: '504 5.5.2 <x>: Helo command rejected', data: '503 5.5.1 no recipient' },
    is: 'deferred transport',
  },
  {
    what: 'DATA taken although the recipient was not',
    script: { rcpt: '550 5.1.1 nobody', dot: '554 5.5.1 no recipients' },
    is: 'rejected',
    detail: /nobody/,
  },
  {
    what: 'DATA taken although the sender was not',
    script: { mail: '550 5.1.8 not you', rcpt: '503 no', data: '354 go on' },
    is: 'rejected',
    detail: /not you/,
  },
  {
    what: 'a refused recipient and then a hang-up',
    script: {
      rcpt: (peer) => {
        peer.say('550 5.1.1 nobody');
        peer.end();
      },
      data: silent,
    },
    is: 'rejected',
    detail: /nobody/,
  },
  { what: 'more bytes than the server takes', script: { ehlo: (peer) => peer.offer('SIZE 40') }, is: 'rejected' },
  { what: 'a login', script: { ehlo: withLogin }, login: true, is: 'accepted', took: 1 },
  {
    what: 'a refused login',
    script: { ehlo: withLogin, auth: '535 5.7.8 wrong' },
    login: true,
    is: 'deferred transport',
    detail: /535/,
  },
  {
    what: 'a login refused for now',
    script: { ehlo: withLogin, auth: '454 4.7.0 later' },
    login: true,
    is: 'deferred transport',
  },
  {
    what: 'a login without an answer',
    script: { ehlo: withLogin, auth: silent },
    login: true,
    durations: { greeting: SILENCE_MS, command: SILENCE_MS },
    is: 'deferred transport',
  },
  {
    what: 'an address outside of ASCII',
    script: {},
    mail: mail(text, { to: 'sítí@example.com' }),
    is: 'accepted',
    took: 1,
  },
  {
    what: 'an address outside of ASCII without SMTPUTF8',
    script: plainEhlo,
    mail: mail(text, { to: 'sítí@example.com' }),
    is: 'rejected',
    detail: /ASCII/,
  },
  {
    what: 'an address that would end the command',
    script: {},
    mail: mail(text, { to: 'a@example.com>\r\nRSET' }),
    is: 'rejected',
  },
];

const starttls = (certificate: Certificate): Script => ({
  ehlo: withTls,
  starttls: (peer) => {
    peer.say('220 go on');
    peer.encrypt(certificate);
  },
});
const encryption: Case[] = [
  { what: 'TLS required and offered', script: starttls('valid'), tls: 'required', is: 'accepted', took: 1 },
  { what: 'TLS required and not offered', script: plainEhlo, tls: 'required', is: 'deferred transport' },
  { what: 'TLS required and no EHLO', script: { ehlo: '502 what' }, tls: 'required', is: 'deferred transport' },
  {
    what: 'a certificate that is over',
    script: starttls('expired'),
    tls: 'required',
    is: 'deferred transport',
    detail: /expired/,
  },
  {
    what: 'the certificate of another server',
    script: starttls('other-name'),
    tls: 'required',
    is: 'deferred transport',
    detail: /altnames/,
  },
  {
    what: 'a certificate that nobody vouches for',
    script: starttls('self-signed'),
    tls: 'required',
    is: 'deferred transport',
    detail: /self-signed/,
  },
  {
    what: 'STARTTLS offered and refused',
    script: { ehlo: withTls, starttls: '454 4.7.0 not now' },
    tls: 'required',
    is: 'deferred transport',
  },
  {
    what: 'STARTTLS broken',
    script: {
      ehlo: withTls,
      starttls: (peer) => {
        peer.say('220 go on');
        peer.socket.removeAllListeners('data').once('data', () => peer.say('500 what is this'));
      },
    },
    tls: 'required',
    is: 'deferred transport',
  },
  {
    what: 'STARTTLS and then the end',
    script: {
      ehlo: withTls,
      starttls: (peer) => {
        peer.say('220 go on');
        peer.end();
      },
    },
    tls: 'required',
    is: 'deferred transport',
  },
  {
    what: 'STARTTLS and then silence',
    script: {
      ehlo: withTls,
      starttls: (peer) => {
        peer.say('220 go on');
        peer.socket.removeAllListeners('data');
      },
    },
    tls: 'required',
    durations: { greeting: SILENCE_MS, command: SILENCE_MS },
    is: 'deferred transport',
  },
  // The address of this machine that is not known as such: there STARTTLS counts where it is offered.
  { what: 'TLS offered', script: starttls('valid'), host: '0.0.0.0', is: 'accepted', took: 1 },
  {
    what: 'TLS offered and refused',
    script: { ehlo: withTls, starttls: '454 4.7.0 not now' },
    host: '0.0.0.0',
    is: 'deferred transport',
  },
  {
    what: 'TLS offered with a wrong certificate',
    script: starttls('other-name'),
    host: '0.0.0.0',
    is: 'deferred transport',
  },
  { what: 'TLS not offered', script: plainEhlo, host: '0.0.0.0', is: 'accepted', took: 1 },
];

describe('an SMTP server', () => {
  it.each([...ways, ...refusals, ...lost, ...afterTheDot, ...encryption])(
    'with $what: $is',
    async ({ script, is, took = 0, detail = /./, mail: given = mail(), what: _, ...rest }) => {
      server.script = script;
      const smtp = connect(rest);
      const outcome = await smtp.send(given);
      expect({ is: wordOf(outcome), detail: outcome.detail }).toEqual({ is, detail: expect.stringMatching(detail) });
      expect(outcome.detail.length).toBeLessThanOrEqual(500);
      expect(server.taken).toHaveLength(took);
      // Whatever it was: the next mail has nothing to do with it.
      server.script = rest.tls === 'required' || rest.host ? starttls('valid') : rest.login ? { ehlo: withLogin } : {};
      const next = Buffer.from('Subject: Next\r\n\r\nNext\r\n');
      expect(wordOf(await smtp.send(mail(next)))).toBe('accepted');
      expect(server.taken).toHaveLength(took + 1);
      expect(server.taken.at(-1)).toEqual(next);
    },
  );

  it('that is not there is a trouble of the transport', async () => {
    const nobody = createServer();
    await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', () => resolve()));
    const { port } = nobody.address() as { port: number };
    await new Promise((resolve) => nobody.close(resolve));
    expect(await connect({ port }).send(mail())).toEqual({
      outcome: 'deferred',
      scope: 'transport',
      detail: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('gets no word in the clear when TLS is required and fails', async () => {
    for (const script of [plainEhlo, starttls('expired'), { ehlo: withTls, starttls: '454 no' } satisfies Script]) {
      server.script = script;
      await connect({ tls: 'required', login: true }).send(mail());
      transport?.close();
    }
    expect(server.heard.filter((line) => !/^(EHLO|STARTTLS)/.test(line))).toEqual([]);
  });

  it('is believed after STARTTLS only for what it says under TLS', async () => {
    server.script = {
      ehlo: withTls,
      starttls: (peer) => {
        // What an attacker puts behind the answer must not be read as part of the encrypted conversation.
        peer.raw('220 go on\r\n250-evil.example\r\n250-SMTPUTF8\r\n250 AUTH PLAIN\r\n');
        server.script.ehlo = '250 scripted.example';
        peer.encrypt('valid');
      },
    };
    const smtp = connect({ tls: 'required' });
    expect(wordOf(await smtp.send(mail(text, { to: 'sítí@example.com' })))).toBe('rejected');
    expect(wordOf(await smtp.send(mail()))).toBe('accepted');
  });

  it.each<[Certificate, Expected]>([
    ['valid', 'accepted'],
    ['expired', 'deferred transport'],
    ['other-name', 'deferred transport'],
    ['self-signed', 'deferred transport'],
  ])('by smtps with a certificate that is %s: %s', async (certificate, is) => {
    const secured = await startScriptedSmtp({ implicitTls: certificate });
    try {
      expect(wordOf(await connect({ secure: true, port: secured.port }).send(mail()))).toBe(is);
      expect(secured.taken).toHaveLength(is === 'accepted' ? 1 : 0);
    } finally {
      transport!.close();
      await secured.close();
    }
  });
});

describe('the bytes of a mail', () => {
  it('arrive as they are', async () => {
    const smtp = connect();
    const line = fc.oneof(
      fc.constantFrom('', '.', '..', '.x', '. ', '...', 'x.', 'From x'),
      fc.string({ unit: fc.integer({ min: 32, max: 126 }).map((sign) => String.fromCharCode(sign)), maxLength: 80 }),
    );
    const lines = fc.array(line, { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(lines, fc.boolean(), async (body, isEnded) => {
        const bytes = Buffer.from(`Subject: x\r\n\r\n${body.join('\r\n')}${isEnded ? '\r\n' : ''}`);
        expect(wordOf(await smtp.send(mail(bytes)))).toBe('accepted');
        // A mail ends with a line end; one that does not gets it.
        const ended = bytes.subarray(-2).toString() === '\r\n' ? bytes : Buffer.concat([bytes, Buffer.from('\r\n')]);
        expect(server.taken.at(-1)!.toString('latin1')).toBe(ended.toString('latin1'));
      }),
      { numRuns: 200 },
    );
    expect(server.connections).toBe(1);
  });

  it.each([0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_000])('arrive as they are beside %i others', async (length) => {
    const bytes = Buffer.from(`Subject: x\r\n\r\n${'.\r\n'.repeat(length / 3)}\r\n`);
    expect(wordOf(await connect().send(mail(bytes)))).toBe('accepted');
    expect(server.taken[0]!.equals(bytes)).toBe(true);
  });
});

describe('connections', () => {
  const sendAll = (smtp: SmtpTransport, count: number) =>
    Promise.all(Array.from({ length: count }, () => smtp.send(mail()))).then((all) => all.map(wordOf));

  it('are as many as allowed, and used again', async () => {
    const smtp = connect({ connections: 3 });
    expect(new Set(await sendAll(smtp, 30))).toEqual(new Set(['accepted']));
    expect(server.taken).toHaveLength(30);
    expect(server.connections).toBe(3);
  });

  it('are used again after a refusal, which is forgotten first', async () => {
    server.script = { rcpt: '550 5.1.1 nobody', data: '503 no' };
    const smtp = connect({ connections: 1 });
    await smtp.send(mail());
    server.script = {};
    expect(await sendAll(smtp, 2)).toEqual(['accepted', 'accepted']);
    expect(server.connections).toBe(1);
    expect(server.heard.filter((line) => line === 'RSET')).toHaveLength(1);
  });

  it('are renewed after a thousand mails', async () => {
    const smtp = connect({ connections: 1 });
    await sendAll(smtp, 1000);
    expect(server.connections).toBe(1);
    await sendAll(smtp, 1);
    expect(server.connections).toBe(2);
    expect(server.heard.filter((line) => line === 'QUIT')).toHaveLength(1);
  });

  it('that have nothing to do take leave', async () => {
    const smtp = connect({ durations: { idle: 50 } });
    const left = new Promise<void>((resolve) => {
      server.script = { quit: (peer) => (peer.end(), resolve()) };
    });
    expect(await sendAll(smtp, 1)).toEqual(['accepted']);
    await left;
    expect(await sendAll(smtp, 1)).toEqual(['accepted']);
    expect(server.connections).toBe(2);
  });

  it('that the server ended while nothing was on them are replaced', async () => {
    const smtp = connect({ connections: 3 });
    await sendAll(smtp, 3);
    await server.endIdle();
    expect(new Set(await sendAll(smtp, 6))).toEqual(new Set(['accepted']));
    expect(server.taken).toHaveLength(9);
  });

  it.each<[string, Script['mail']]>([
    ['ends', end],
    ['resets', reset],
    ['gives up with 421', (peer) => (peer.say('421 4.4.2 idle too long'), peer.end())],
  ])('that the server %s in the moment of the next mail are replaced without an outcome', async (_how, leave) => {
    const smtp = connect({ connections: 1 });
    await sendAll(smtp, 1);
    server.script = { mail: (peer) => (delete server.script.mail, (leave as (to: typeof peer) => void)(peer)) };
    expect(await sendAll(smtp, 1)).toEqual(['accepted']);
    expect(server.taken).toHaveLength(2);
    expect(server.connections).toBe(2);
  });

  it('are tried anew once only', async () => {
    const smtp = connect({ connections: 1 });
    await sendAll(smtp, 1);
    server.script = { mail: reset };
    expect(await sendAll(smtp, 1)).toEqual(['deferred transport']);
    expect(server.connections).toBe(2);
  });

  it('are not tried anew once the mail was on its way', async () => {
    const smtp = connect({ connections: 1 });
    await sendAll(smtp, 1);
    server.script = { dot: (peer) => (peer.take(), peer.reset()) };
    expect(await sendAll(smtp, 1)).toEqual(['uncertain']);
    expect(server.taken).toHaveLength(2);
  });

  it('that are closed tell of each mail what is known', async () => {
    const smtp = connect({ connections: 2 });
    const arrived = new Promise<void>((resolve) => (server.script = { dot: () => resolve() }));
    const underway = smtp.send(mail());
    await arrived;
    const asked = new Promise<void>((resolve) => (server.script = { mail: () => resolve() }));
    const asking = smtp.send(mail());
    await asked;
    const waiting = smtp.send(mail());
    smtp.close();
    expect((await Promise.all([underway, asking, waiting])).map(wordOf)).toEqual([
      'uncertain',
      'deferred transport',
      'deferred transport',
    ]);
  });
});

describe('DKIM', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const dkim = {
    domain: 'support.example',
    selector: 's1',
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
  const signed =
    'From: Support <no-reply@support.example>\r\nSubject: Two\r\n  lines\r\nX-Other: 1\r\n\r\nHello  you \r\n.dot\r\n\r\n\r\n';

  it('signs each mail so that its domain can be verified, and the rest is untouched', async () => {
    await connect({ dkim }).send(mail(signed));
    const arrived = server.taken[0]!.toString('latin1');
    expect(arrived.endsWith(signed)).toBe(true);
    expect(isSigned(arrived, publicKey.export({ type: 'spki', format: 'pem' }) as string)).toBe(true);
    expect(isSigned(arrived.replace('Two', 'Six'), publicKey.export({ type: 'spki', format: 'pem' }) as string)).toBe(
      false,
    );
    expect(isSigned(arrived.replace('you', 'yon'), publicKey.export({ type: 'spki', format: 'pem' }) as string)).toBe(
      false,
    );
  });

  it('has the same bytes on each try', async () => {
    const smtp = connect({ dkim });
    await smtp.send(mail(signed));
    await smtp.send(mail(signed));
    expect(server.taken[1]).toEqual(server.taken[0]);
  });
});

describe('the durations', () => {
  it('are those of RFC 5321 4.5.3.2 or longer, but for connecting, the greeting and idleness, which are ours', () => {
    const minute = 60_000;
    expect(smtpDurations).toEqual<SmtpDurations>({
      connect: 0.5 * minute,
      greeting: minute,
      command: 5 * minute,
      block: 3 * minute,
      afterData: 10 * minute,
      idle: 0.5 * minute,
    });
  });
});

function wordOf(outcome: TransportOutcome): string {
  return outcome.outcome === 'deferred' ? `deferred ${outcome.scope}` : outcome.outcome;
}

/** A verifier after RFC 6376 3.4 and 6.1.3, for relaxed/relaxed and one signature. */
function isSigned(mime: string, publicKey: string): boolean {
  const [head, ...rest] = mime.split('\r\n\r\n');
  const fields = head!.split(/\r\n(?![ \t])/).map((field) => ({ name: field.split(':')[0]!.toLowerCase(), field }));
  const signature = fields.find(({ name }) => name === 'dkim-signature')!.field;
  const tag = (name: string) => new RegExp(`[;:\\s]${name}=([^;]*)`).exec(signature)![1]!.replace(/\s/g, '');
  const body = rest
    .join('\r\n\r\n')
    .replace(/[ \t]+(?=\r\n)/g, '')
    .replace(/[ \t]+/g, ' ')
    .replace(/(\r\n)*$/, '\r\n');
  const relaxed = (field: string) => {
    const at = field.indexOf(':');
    return `${field.slice(0, at).toLowerCase()}:${field
      .slice(at + 1)
      .replace(/\r\n/g, '')
      .replace(/[ \t]+/g, ' ')
      .trim()}`;
  };
  const covered = tag('h')
    .split(':')
    .map((name) => `${relaxed(fields.find((one) => one.name === name)!.field)}\r\n`);
  const signedText = covered.join('') + relaxed(signature.replace(/(\sb=)[^;]*/, '$1'));
  return (
    createHash('sha256').update(body, 'latin1').digest('base64') === tag('bh') &&
    tag('a') === 'rsa-sha256' &&
    tag('h').includes('from') &&
    createVerify('RSA-SHA256').update(signedText, 'latin1').verify(publicKey, tag('b'), 'base64')
  );
}
