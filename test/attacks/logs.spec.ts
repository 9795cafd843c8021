import { Redis } from 'ioredis';
import { randomBytes } from 'node:crypto';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { counted } from '../support/counted.js';
import { databases } from '../support/databases.js';
import { createGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { startReceiver } from '../support/receiver.js';
import { png } from '../support/files.js';
import { queues } from '../support/queues.js';
import { startRelay } from '../support/smtp.js';
import { dump, rows } from '../support/tables.js';
import { askForCode, invite } from '../support/visit.js';

/** A word that is nowhere by chance. */
const secret = (what: string) => `${what}${randomBytes(6).toString('hex')}`;

const redis = queues.find(({ name }) => name === 'Redis');
const postgres = databases.find(({ name }) => name === 'Postgres');
const grounds = [
  { level: 'info', on: 'embedded' },
  { level: 'debug', on: 'embedded' },
  { level: 'trace', on: 'embedded' },
  ...(redis && postgres ? [{ level: 'trace', on: 'on Redis', redis, database: postgres }] : []),
];

describe('what is logged, queued and stored', () => {
  it.each(grounds)(
    'at level $level with the queue $on holds none of twenty planted secrets after the whole way',
    async ({ level, redis: queue, database }) => {
      const source = await startReceiver();
      const broker = await queue?.create();
      const queued = broker && (await overhear(broker.url));
      let refuses = true;
      const test = await createGateway({
        database,
        settings: {
          LOG_LEVEL: level,
          OUTBOUND_URL: source.url,
          OUTBOUND_SECRET: generateWebhookSecret(),
          ...(broker ? { QUEUE_URL: broker.url } : {}),
        },
        onMail: () => (refuses ? 451 : undefined),
      });
      const planted: Record<string, string> = {
      'local part': secret('siti'),
      'domain': `${secret('host')}.example`,
      'name': secret('Siti'),
      'subject': secret('Perihal'),
      'message': secret('Pesan'),
      'agent': secret('Rina'),
      'participant': `${secret('budi')}@example.com`,
      'attachment name': secret('form'),
      'attachment url': secret('path'),
      'ticket url': secret('url'),
      'reply text': secret('Balasan'),
      'file name': secret('bukti'),
      'file content': secret('isi'),
      'refused file name': secret('virus'),
      'wrong code': '918273',
      'form key': secret('key'),
    }; // prettier-ignore
      try {
        const email = `${planted['local part']}@${planted.domain}`;
        const event = {
        ticket: { id: 'l-1', number: '12345', subject: planted.subject, url: `https://help.example/${planted['ticket url']}` },
        requester: { email, name: planted.name },
        message: {
          body: planted.message,
          author: { kind: 'agent', name: planted.agent },
          attachments: [{ name: `${planted['attachment name']}.pdf`, url: `https://none.invalid/${planted['attachment url']}` }],
        },
        data: { participants: [{ kind: 'guest', email: planted.participant }] },
      }; // prettier-ignore
        await test.source.send('ticket.replied', event);
        await test.drain();
        refuses = false; // the relay's own refusal, which may quote the address, was logged by now
        test.clock.advance({ minutes: 2 });
        await test.drain();
        await test.source.post(test.source.event('ticket.replied', event), { secret: generateWebhookSecret() });
        await test.source.post({ ...test.source.event('ticket.replied', event), type: planted.message! });
        await test.source.post(`{"${planted.message}": `);

        const link = await invite(test, { email, ticket: { id: 'l-2', number: '12346', subject: planted.subject } });
        const guest = new Guest(test.url);
        const { page, code } = await askForCode(test, guest, link, email);
        planted['the code'] = code;
        planted['the link'] = link.slice('/t/'.length);
        await guest.submit(page, '/verify', { code: planted['wrong code']! });
        const ticket = await guest.submit(page, '/verify', { code });
        for (const [name, value] of guest.cookies) if (value.length > 10) planted[`the cookie ${name}`] = value;
        planted['the form token'] = page.forms[0]!.fields.formToken!;
        source.answer = (_post, response) => void response.writeHead(500).end(planted.message);
        const files = [
          { name: `${planted['file name']}.txt`, content: Buffer.from(planted['file content']!) },
          { name: `${planted['file name']}.png`, content: png() },
        ];
        const fields = { body: planted['reply text']!, formKey: planted['form key']! };
        const refused = [{ name: `${planted['refused file name']}.exe`, content: Buffer.from('MZ') }];
        await guest.submit(ticket, '/replies', fields, { files: refused });
        const shown = await guest.submit(ticket, '/replies', fields, { files });
        expect(shown.status).toBe(200);
        await test.drain();
        for (let n = 0; n < 10; n++) {
          test.clock.advance({ hours: 30 });
          await test.drain();
        }
        const posted = source.posts.find(({ body }) => body.includes('/v1/files/'))!;
        planted['the signed file'] = /\/v1\/files\/([\w.-]+)/.exec(posted.body)![1]!;
        planted['the signature'] = String(posted.headers['webhook-signature']);
        // What goes wrong is logged more fully: ways that fail at each door.
        await guest.get(`${link}x`);
        await guest.get(`/t/${planted['the link']}%zz`);
        await guest.post(`${link}/verify`, { code });
        await guest.get(`/v1/files/${planted['the signed file']}x`);
        await guest.get(`/tickets/${planted['the link']}`);
        await test.gateway.database.write((tx) => tx.query('ALTER TABLE challenges RENAME TO hidden'));
        await guest.submit(page, '/verify', { code });
        await guest.get(`${link}/code`);
        await test.gateway.database.write((tx) => tx.query('ALTER TABLE hidden RENAME TO challenges'));

        expect(Object.keys(planted).length).toBeGreaterThanOrEqual(20);
        expect(test.logs.some((line) => line.includes('"level":50'))).toBe(true);
        const text = test.logs.join('').toLowerCase();
        for (const [what, value] of Object.entries(planted))
          for (const form of formsOf(value))
            if (hasWord(text, form))
              throw new Error(`${what} is logged: ${test.logs.find((line) => line.toLowerCase().includes(form))}`);
        // The queue holds ids and nothing else.
        const jobs = queued?.said().toLowerCase() ?? '';
        if (queued) expect(jobs).toContain('dlv_');
        for (const [what, value] of Object.entries(planted))
          if (formsOf(value).some((form) => hasWord(jobs, form))) throw new Error(`${what} is in the queue`);
        // The database holds what people wrote and who they are, but nothing that opens a door.
        const stored = (await dump(test)).toLowerCase();
        for (const [what, value] of Object.entries(planted))
          if (opensDoors(what) && formsOf(value).some((form) => hasWord(stored, form)))
            throw new Error(`${what} is in the database`);
        counted('planted secrets in logs, queue and database', Object.keys(planted).length);
      } finally {
        queued?.close();
        await test.close();
        await broker?.drop();
        await source.close();
      }
    },
  );
});

describe('an address that a relay quotes', () => {
  it('is masked in log and row', async () => {
    const relay = await startRelay();
    const test = await createGateway({ settings: { MAIL_URL: relay.url } });
    try {
      relay.onRecipient = () => 550;
      await test.source.send('ticket.replied', { message: {}, requester: { email: 'sitirahayu@example.com' } });
      await test.drain();
      const [attempt] = await rows(test, 'attempts');
      for (const text of [test.logs.join(''), String(attempt!.detail)]) {
        expect(text).not.toContain('sitirahayu');
        expect(text).toContain('s***u@e***.com');
      }
    } finally {
      await test.close();
      await relay.close();
    }
  });
});

/** Whoever has one of these gets in somewhere; the rest is what Postern is told to keep. */
function opensDoors(what: string): boolean {
  return /^the (code|link|cookie postern-(?!guest-language).*|form token|signed file|signature)$/.test(what);
}

/** A value as it may be spelled in a log line, a URL or a payload. */
function formsOf(value: string): string[] {
  return [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)].map((form) => form.toLowerCase());
}

/** Everything that anybody tells a Redis from now on. */
async function overhear(url: string): Promise<{ said: () => string; close: () => void }> {
  const client = new Redis(url);
  const monitor = await client.monitor();
  const own = new URL(url).pathname.slice(1);
  const lines: string[] = [];
  monitor.on('monitor', (_time: string, words: string[], _source: string, database: string) => {
    if (database === own) lines.push(words.join(' '));
  });
  return { said: () => lines.join('\n'), close: () => (monitor.disconnect(), client.disconnect()) };
}

/** Digits are a secret only where they stand alone: a time has digits too. */
function hasWord(text: string, word: string): boolean {
  return /^\d+$/.test(word) ? new RegExp(`(?<![\\w.-])${word}(?![\\w.-])`).test(text) : text.includes(word);
}
