import mailhog from 'mailhog';
import { createTransport } from 'nodemailer';
import { startInbox, type Inbox, type InboxOptions } from '../../demo/inbox.js';

const subject = 'Tiket 12345 Anda diperbarui — mohon kirim ID transaksi penarikan dana Anda 🙂';
const text = 'Halo Siti,\nbuka tiket: http://localhost:3000/t/v1.k1.abcdefghijklmnopqrstuvwxyz0123456789.0123456789\n';
const html =
  '<html><head><title>x</title></head><body dir="rtl">مرحبًا <a href="http://localhost:3000/t/x">🙂</a></body></html>';

let inbox: Inbox;
const start = async (options: InboxOptions = {}) =>
  (inbox = await startInbox({ smtpPort: 0, httpPort: 0, ...options }));
afterEach(() => inbox.close());

function send(to: string, more: Record<string, unknown> = {}) {
  const transport = createTransport(inbox.smtpUrl);
  return transport.sendMail({ from: 'Bantuan <no-reply@localhost>', to, subject, text, html, ...more });
}

const client = () => mailhog({ host: 'localhost', port: Number(new URL(inbox.url).port) });

describe('the demo inbox', () => {
  it('keeps a mail as it was sent: envelope, subject, both parts, headers', async () => {
    await start();
    await send('"Siti Rahmawati 🙂" <siti@example.com>', { headers: { 'X-Postern-Notification': 'ntf_1' } });
    const mail = await inbox.nextMailTo('Siti@Example.com');
    expect(mail).toMatchObject({ from: 'no-reply@localhost', to: ['siti@example.com'], subject });
    expect(mail.text.trim()).toBe(text.trim());
    expect(mail.html.trim()).toBe(html);
    expect(mail.headers['x-postern-notification']).toBe('ntf_1');
    expect(mail.headers.to).toContain('Siti Rahmawati 🙂');
    expect(mail.headerLines.map(({ name }) => name)).toContain('X-Postern-Notification');
    expect(mail.raw).toContain('X-Postern-Notification: ntf_1\r\n');
  });

  it('is read by the mailhog client: list, search, latest, parts beside an attachment', async () => {
    await start();
    const attachments = [{ filename: 'form.txt', content: 'isi' }];
    await send('siti@example.com', { attachments });
    await send('budi@example.com', { subject: 'Hello', html: undefined });

    const list = await client().messages();
    expect(list).toMatchObject({ total: 2, count: 2, start: 0 });
    expect(list?.items.map((mail) => mail.subject)).toEqual(['Hello', subject]);

    const mail = await client().latestTo('siti@example.com');
    expect(mail).toMatchObject({ subject, from: 'Bantuan <no-reply@localhost>', to: 'siti@example.com' });
    expect(mail?.text.trim()).toBe(text.trim());
    expect(mail?.html.trim()).toBe(html);
    expect(mail?.attachments.map(({ name, Body }) => [name, Buffer.from(Body, 'base64').toString()])).toEqual([
      ['form.txt', 'isi'],
    ]);
    expect((await client().latestTo('budi@example.com'))?.text.trim().split('\r\n')).toEqual(text.trim().split('\n'));
    expect(await client().search('مرحبًا', 'containing')).toMatchObject({ total: 1 });
    expect(await client().search('nobody@', 'from')).toMatchObject({ total: 0, count: 0 });
    expect(await client().messages(1, 1)).toMatchObject({ total: 2, count: 1, start: 1 });
  });

  it('forgets one mail or all of them for the mailhog client', async () => {
    await start();
    await send('siti@example.com');
    await send('siti@example.com', { subject: 'second' });
    const latest = await client().latestTo('siti@example.com');
    await client().deleteMessage(latest?.ID ?? '');
    expect(inbox.messages.map((mail) => mail.subject)).toEqual([subject]);
    await client().deleteAll();
    expect(inbox.messages).toEqual([]);
  });

  it('gives each mail to one waiter, whether it asked before the mail came or after', async () => {
    await start();
    const early = inbox.nextMailTo('siti@example.com');
    await send('siti@example.com', { subject: 'first' });
    await send('budi@example.com', { subject: 'not hers' });
    await send('siti@example.com', { subject: 'second' });
    const first = await early;
    const second = await inbox.nextMailTo('siti@example.com');
    expect([first.subject, second.subject]).toEqual(['first', 'second']);
    expect(await inbox.nextMailTo('siti@example.com', { after: first })).toBe(second);
  });

  it('leaves a mail that does not match for the next to ask', async () => {
    await start();
    await send('siti@example.com', { subject: 'the ticket' });
    await send('siti@example.com', { subject: 'the code' });
    const code = await inbox.nextMailTo('siti@example.com', { matching: (mail) => mail.subject === 'the code' });
    expect(code.subject).toBe('the code');
    expect((await inbox.nextMailTo('siti@example.com')).subject).toBe('the ticket');
  });

  it('says what did arrive when the awaited mail did not', async () => {
    await start();
    await send('budi@example.com', { subject: 'Hello' });
    await expect(inbox.nextMailTo('siti@example.com', { timeoutSeconds: 0.01 })).rejects.toThrow(
      'No mail to siti@example.com within 0.01 s. 1 here, the newest: “Hello” to budi@example.com',
    );
  });

  it('answers with the SMTP code it was told to, and keeps nothing then', async () => {
    await start({ onMail: ({ to }) => (to.includes('busy@example.com') ? 451 : undefined) });
    await expect(send('busy@example.com')).rejects.toMatchObject({ responseCode: 451 });
    await send('siti@example.com');
    expect(inbox.messages.map((mail) => mail.to)).toEqual([['siti@example.com']]);
  });

  it('shows a mail as a page that runs no script and opens its links in a new tab', async () => {
    await start();
    await send('siti@example.com');
    const answer = await fetch(`${inbox.url}/mails/${inbox.messages[0]?.id}/html`);
    expect(answer.headers.get('content-security-policy')).toMatch(/^sandbox (?!.*allow-scripts)/);
    expect(await answer.text()).toContain('<head><base target="_blank">');
  });

  it('takes the next free port when the usual one is taken', async () => {
    const other = await startInbox({ smtpPort: 0, httpPort: 0 });
    const taken = Number(new URL(other.url).port);
    try {
      await start({ httpPort: taken });
      expect(Number(new URL(inbox.url).port)).toBeGreaterThan(taken);
    } finally {
      await other.close();
    }
  });

  it('closes at once though a sender keeps its connection open', async () => {
    await start();
    const transport = createTransport({ url: inbox.smtpUrl, pool: true } as Parameters<typeof createTransport>[0]);
    await transport.sendMail({ from: 'a@example.com', to: 'b@example.com', text });
    await inbox.close();
    await expect(fetch(inbox.url)).rejects.toThrow();
    transport.close();
  });
});
