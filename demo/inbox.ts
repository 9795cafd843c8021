import { buffer } from 'node:stream/consumers';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import { Arrivals, type NextOptions } from './arrivals.js';
import { createWeb, freePort, listen } from './local-web.js';
import { toMailHog } from './mailhog-format.js';
import { parseMail, type Envelope, type StoredMail } from './stored-mail.js';

export type { Envelope, StoredMail } from './stored-mail.js';

const KEPT_MAILS = 500;
const LARGEST_MAIL_BYTES = 30 * 1024 * 1024;

export interface InboxOptions {
  /** 1025 by default, or the next free one; 0 for any. */
  smtpPort?: number;
  /** 8025 by default, or the next free one; 0 for any. */
  httpPort?: number;
  host?: string;
  /**
   * Called when a mail has come in whole and before it is answered. A number of 400 or more is the SMTP answer, and
   * the mail is not kept; nothing means accepted. A promise delays the answer.
   */
  onMail?: (envelope: Envelope) => number | undefined | Promise<number | undefined>;
}

export interface Inbox {
  /** For `MAIL_URL`. */
  smtpUrl: string;
  /** The web page, and before `/api` MailHog's API. */
  url: string;
  /** Oldest first, the newest 500. */
  messages: readonly StoredMail[];
  /** The next mail to `address` that no earlier call got, waiting for it if need be. Rejects after `timeoutSeconds` (10). */
  nextMailTo(address: string, options?: NextOptions<StoredMail>): Promise<StoredMail>;
  /** Ends both servers at once, open connections included. */
  close(): Promise<void>;
}

/** Starts an SMTP server that keeps every mail in memory and shows it on a web page and by MailHog's API. */
export async function startInbox(options: InboxOptions = {}): Promise<Inbox> {
  const { host = '127.0.0.1', onMail = () => undefined } = options;
  const mails = new Arrivals<StoredMail>(KEPT_MAILS, (mail) => `“${mail.subject}” to ${mail.to.join(', ')}`);
  const { app, changes } = createWeb('inbox');
  const smtp = createSmtpServer(onMail, (mail) => {
    mails.add(mail);
    changes.announce();
  });
  addMailHogApi(app, mails, () => changes.announce());
  addPageApi(app, mails);

  const smtpPort = await listenSmtp(smtp, await freePort(options.smtpPort ?? 1025, host), host);
  const url = await listen(app, await freePort(options.httpPort ?? 8025, host), host);
  return {
    smtpUrl: `smtp://${host}:${smtpPort}`,
    url,
    messages: mails.items,
    nextMailTo(address, { matching = () => true, ...rest } = {}) {
      const isFor = (mail: StoredMail) => mail.to.some((to) => to.toLowerCase() === address.toLowerCase());
      return mails.next(`mail to ${address}`, { ...rest, matching: (mail) => isFor(mail) && matching(mail) });
    },
    async close() {
      mails.close('The inbox was closed.');
      await Promise.all([app.close(), new Promise<void>((resolve) => smtp.close(resolve))]);
    },
  };
}

type MailHook = NonNullable<InboxOptions['onMail']>;

function createSmtpServer(onMail: MailHook, keep: (mail: StoredMail) => void): SMTPServer {
  return new SMTPServer({
    // Without a certificate anybody trusts, an offered STARTTLS would make senders fail.
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    allowInsecureAuth: true,
    onAuth: (auth, _session, done) => done(null, { user: auth.username ?? 'anybody' }),
    disableReverseLookup: true,
    size: LARGEST_MAIL_BYTES,
    rejectOversized: true,
    closeTimeout: 1,
    onData(stream, session, done) {
      receive(stream, session, onMail).then(
        (mail) => {
          if (mail && !stream.sizeExceeded) keep(mail);
          done(null, 'kept in the inbox');
        },
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      );
    },
  });
}

/** Reads one mail to its end. Rejects with the hook's answer if that is an error. */
async function receive(
  stream: SMTPServerDataStream,
  session: SMTPServerSession,
  onMail: MailHook,
): Promise<StoredMail> {
  const bytes = await buffer(stream);
  const { mailFrom, rcptTo } = session.envelope;
  const envelope = { from: mailFrom ? mailFrom.address : '', to: rcptTo.map(({ address }) => address) };
  const responseCode = await onMail(envelope);
  if (responseCode && responseCode >= 400) {
    throw Object.assign(new Error('refused by the inbox, as it was told to'), { responseCode });
  }
  return parseMail(envelope, bytes);
}

async function listenSmtp(smtp: SMTPServer, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    // Once it listens, an error concerns one connection (a sender that went away) and rejects nothing any more.
    smtp.on('error', reject);
    smtp.listen(port, host, resolve);
  });
  const address = smtp.server.address();
  if (address === null || typeof address === 'string') throw new Error('The SMTP server has no port.');
  return address.port;
}

/** What clients of MailHog use: list, search, read, delete. Newest first, as there. */
function addMailHogApi(app: FastifyInstance, mails: Arrivals<StoredMail>, announce: () => void): void {
  app.get<{ Querystring: Paging }>('/api/v2/messages', ({ query }) => toPage(mails.items, query));
  app.get<{ Querystring: Paging & { kind?: string; query?: string } }>('/api/v2/search', ({ query }) =>
    toPage(
      mails.items.filter((mail) => isFound(mail, query.kind ?? 'containing', query.query ?? '')),
      query,
    ),
  );
  app.get('/api/v1/messages', () => mails.items.toReversed().map(toMailHog));
  app.delete('/api/v1/messages', (_request, reply) => {
    mails.clear();
    announce();
    return reply.send();
  });
  app.get<{ Params: Named }>('/api/v1/messages/:id', ({ params }, reply) => {
    const mail = find(mails, params.id);
    return mail ? toMailHog(mail) : notFound(reply);
  });
  app.delete<{ Params: Named }>('/api/v1/messages/:id', ({ params }, reply) => {
    const mail = find(mails, params.id);
    if (!mail) return notFound(reply);
    mails.remove(mail);
    announce();
    return reply.send();
  });
}

interface Named {
  id: string;
}
interface Paging {
  start?: string;
  limit?: string;
}

function toPage(items: readonly StoredMail[], { start, limit }: Paging) {
  const from = Number(start) || 0;
  const page = items.toReversed().slice(from, from + Math.min(Number(limit) || 50, 250));
  return { total: items.length, count: page.length, start: from, items: page.map(toMailHog) };
}

function isFound(mail: StoredMail, kind: string, query: string): boolean {
  const places: Record<string, string[]> = {
    from: [mail.from, mail.headers.from ?? ''],
    to: [...mail.to, mail.headers.to ?? ''],
    containing: [mail.subject, mail.text, mail.html, mail.raw],
  };
  return (places[kind] ?? []).some((place) => place.toLowerCase().includes(query.toLowerCase()));
}

/** What the page at `/` shows. */
function addPageApi(app: FastifyInstance, mails: Arrivals<StoredMail>): void {
  app.get('/mails', () => mails.items.toReversed().map(toLine));
  app.get<{ Params: Named }>('/mails/:id', ({ params }, reply) => {
    const mail = find(mails, params.id);
    if (!mail) return notFound(reply);
    const attachments = mail.attachments.map(({ name, content }) => ({ name, size: content.length }));
    return { ...toLine(mail), text: mail.text, hasHtml: mail.html !== '', headerLines: mail.headerLines, attachments };
  });
  app.get<{ Params: Named }>('/mails/:id/html', ({ params }, reply) => {
    const mail = find(mails, params.id);
    if (!mail) return notFound(reply);
    // A mail is a stranger's page: no script, no origin, and its links open beside the inbox.
    reply.header(
      'content-security-policy',
      "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline'",
    );
    return reply.type('text/html; charset=utf-8').send(withLinksInNewTab(mail.html));
  });
  app.get<{ Params: Named }>('/mails/:id/source', ({ params }, reply) => {
    const mail = find(mails, params.id);
    return mail ? reply.type('text/plain; charset=utf-8').send(mail.raw) : notFound(reply);
  });
  app.get<{ Params: Named & { index: string } }>('/mails/:id/attachments/:index', ({ params }, reply) => {
    const attachment = find(mails, params.id)?.attachments[Number(params.index)];
    if (!attachment) return notFound(reply);
    reply.header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(attachment.name)}`);
    return reply.type('application/octet-stream').send(attachment.content);
  });
}

function toLine(mail: StoredMail) {
  const { id, subject, receivedAt, headers } = mail;
  const preview = mail.text.replace(/\s+/g, ' ').trim().slice(0, 160);
  return { id, subject, receivedAt, from: headers.from ?? mail.from, to: headers.to ?? mail.to.join(', '), preview };
}

function withLinksInNewTab(html: string): string {
  const base = '<base target="_blank">';
  return /<head[^>]*>/i.test(html) ? html.replace(/<head[^>]*>/i, (head) => head + base) : base + html;
}

function find(mails: Arrivals<StoredMail>, id: string): StoredMail | undefined {
  return mails.items.find((mail) => mail.id === id);
}

function notFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).send({ detail: 'The inbox has no such mail.' });
}
