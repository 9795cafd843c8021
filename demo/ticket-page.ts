import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { sign } from './event-sender.js';
import { newId, type Ticket } from './ticket.js';

/** What the gateway answers to a redeemed handoff. */
interface Redeemed {
  ticket: { id: string; number: string };
  email: string;
  verifiedAt: string;
}

interface Entry {
  ticketId: string;
  email: string;
}

export interface TicketPageOptions {
  /** The gateway's own address, and the source that has this page as its `ticketPage`. */
  redeemUrl(): string;
  secret: string;
  ticket(id: string): Ticket | undefined;
}

const COOKIE = 'sample-desk';

/**
 * The ticket system's own page for guests, at `/my/{id}`. The gateway sends a verified guest here with `?handoff=…`; the
 * token is redeemed server to server, and the page then goes by a cookie of its own.
 */
export function addTicketPage(app: FastifyInstance, { redeemUrl, secret, ticket }: TicketPageOptions): void {
  const entries = new Map<string, Entry>();
  app.get<{ Params: { id: string }; Querystring: { handoff?: string } }>('/my/:id', async (request, reply) => {
    const { id } = request.params;
    const { handoff } = request.query;
    if (handoff !== undefined) {
      const redeemed = await redeem(redeemUrl(), secret, handoff);
      if (redeemed?.ticket.id !== id) return sendPage(reply, 403, refused);
      const key = randomBytes(32).toString('base64url');
      entries.set(key, { ticketId: id, email: redeemed.email });
      // The token leaves the address bar and the history at once.
      const cookie = `${COOKIE}=${key}; Path=/my/${encodeURIComponent(id)}; HttpOnly; SameSite=Lax`;
      return reply
        .code(303)
        .header('set-cookie', cookie)
        .header('location', `/my/${encodeURIComponent(id)}`)
        .send();
    }
    const key = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]+)`).exec(request.headers.cookie ?? '')?.[1];
    const entry = entries.get(key ?? '');
    const found = entry?.ticketId === id ? ticket(id) : undefined;
    if (!entry || !found || found.deleted) return sendPage(reply, 403, refused);
    return sendPage(reply, 200, ticketPage(found, entry.email));
  });
}

/** Null if the gateway does not know the token (any more). */
async function redeem(url: string, secret: string, token: string): Promise<Redeemed | null> {
  const body = JSON.stringify({ token });
  const headers = { 'content-type': 'application/json', ...sign(newId('msg'), body, secret) };
  const answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(15_000) });
  return answer.ok ? ((await answer.json()) as Redeemed) : null;
}

function sendPage(reply: FastifyReply, status: number, main: string): FastifyReply {
  return reply
    .code(status)
    .header(
      'content-security-policy',
      "default-src 'none'; style-src 'self'; img-src data:; form-action 'none'; base-uri 'none'",
    )
    .type('text/html; charset=utf-8').send(`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Sample Desk</title>
    <link rel="stylesheet" href="/page.css">
    <link rel="icon" href="data:,">
  </head>
  <body class="own">${main}</body>
</html>`);
}

const refused = `
    <main>
      <p class="quiet small">Sample Desk’s own page</p>
      <h1>Please open your email again</h1>
      <p>The way from the code to this page can be used once, within a minute. Use the button in the email to come back.</p>
    </main>`;

function ticketPage({ number, subject, status, messages }: Ticket, email: string): string {
  const said = messages
    .filter(({ retracted }) => !retracted)
    .map(
      ({ author, body }) => `
        <li><strong><bdi>${escape(author.name)}</bdi></strong><p dir="auto">${escape(body)}</p></li>`,
    );
  return `
    <main>
      <p class="quiet small">Sample Desk’s own page</p>
      <h1 dir="auto">${escape(subject)}</h1>
      <p class="quiet">Ticket <bdi>${escape(number)}</bdi> · ${status} · <bdi>${escape(email)}</bdi></p>
      <ol>${said.join('')}
      </ol>
      <p class="quiet small">The gateway checked the address by a code and said so to this server. What happens from here is the ticket system’s own.</p>
    </main>`;
}

const SIGNS: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => SIGNS[sign]!);
}
