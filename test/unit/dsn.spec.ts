import fc from 'fast-check';
import { newId } from '../../src/ids.js';
import { readReturnedMail } from '../../src/intake/feedback/dsn.js';
import { returnedMail } from '../support/returned-mail.js';

const deliveryId = newId('dlv', 1_795_510_000_000);
const other = newId('dlv', 1_795_510_000_001);
const recipient = 'Siti.Rahma@example.com';
const key = recipient.toLowerCase();

const mailOf = (name: string) => returnedMail(name, { deliveryId, recipient });
const read = (text: string) => readReturnedMail(Buffer.from(text));
/** The Postfix bounce, changed. */
const changed = (from: string | RegExp, to: string) => {
  const mail = mailOf('postfix-unknown-user');
  const made = mail.replace(from, to);
  if (made === mail) throw new Error('nothing was changed');
  return read(made);
};

describe('a mail that came back', () => {
  it.each([
    ['postfix-unknown-user', 'bounced', '5.1.1'],
    ['postfix-delayed', 'delayed', '4.4.1'],
    ['postfix-gave-up', 'soft-bounced', '4.4.1'],
    ['postfix-delivered', 'delivered', '2.0.0'],
    ['exim-unknown-user', 'bounced', '5.1.1'],
    ['exim-policy', 'refused', '5.7.26'],
    ['exchange-unknown-user', 'bounced', '5.1.10'],
    ['outlook-full-mailbox', 'soft-bounced', '5.2.2'],
    ['gmail-unknown-user', 'bounced', 'unnecessary spaces'],
    ['ses-unknown-user', 'bounced', '5.1.1'],
    ['qmail-unknown-user', 'bounced', 'no mailbox here'],
    ['arf-abuse', 'complained', 'abuse'],
  ])('is understood as %s writes it: %s', async (name, kind, detail) => {
    expect(await read(mailOf(name))).toEqual([
      { deliveryId, recipientKeys: [key], kind, origin: 'dsn', detail: expect.stringContaining(detail) },
    ]);
  });

  it.each(['out-of-office', 'arf-not-spam'])('says nothing of ours: %s', async (name) => {
    expect(await read(mailOf(name))).toEqual([]);
  });

  it.each([
    ['5.1.1', 'bounced'],
    ['5.2.1', 'bounced'],
    ['5.4.4', 'bounced'],
    ['5.5.0', 'bounced'],
    ['5.0.0', 'bounced'],
    ['5.1.8', 'refused'],
    ['5.2.2', 'soft-bounced'],
    ['5.2.3', 'refused'],
    ['5.3.4', 'refused'],
    ['5.6.0', 'refused'],
    ['5.7.1', 'refused'],
    ['4.2.2', 'soft-bounced'],
    ['nonsense', 'soft-bounced'],
  ])('is judged by its status %s: %s', async (status, kind) => {
    const mail = mailOf('postfix-unknown-user')
      .replace('Status: 5.1.1', `Status: ${status}`)
      .replace('smtp; 550 5.1.1', 'smtp; 550');
    expect((await read(mail)).map((report) => report.kind)).toEqual([kind]);
  });

  it('tells the address it was forwarded from, also as xtext', async () => {
    const reports = await changed('Original-Recipient: rfc822;Siti.Rahma@', 'Original-Recipient: rfc822;siti+2Btag@');
    expect(reports[0]!.recipientKeys).toEqual([key, 'siti+2btag@example.com', 'siti+tag@example.com']);
  });

  it.each<[what: string, from: string | RegExp, to: string]>([
    ['a recipient twice', 'Action: failed', `Final-Recipient: rfc822; victim@example.com\r\nAction: failed`],
    ['an action twice', 'Action: failed', 'Action: failed\r\nAction: delivered'],
    ['two Message-IDs', /^Message-ID: /m, `Message-ID: <${other}@support.example>\r\nMessage-ID: `],
    ['two notifications', /^X-Postern-N/m, `X-Postern-Notification: ${other.replace('dlv', 'ntf')}\r\nX-Postern-N`],
    ['names of two mails', /^Message-ID: .*$/m, `Message-ID: <${other}@support.example>`],
    ['no action', 'Action: failed\r\n', ''],
    ['an action nobody knows', 'Action: failed', 'Action: exploded'],
    ['no recipient', 'Final-Recipient', 'X-Recipient'],
    ['another root type', 'multipart/report', 'multipart/mixed'],
    ['no returned mail', 'Content-Type: message/rfc822', 'Content-Type: application/octet-stream'],
  ])('counts for nothing with %s', async (_what, from, to) => {
    expect(await changed(from, to)).toEqual([]);
  });

  it.each([
    ['a bare CR', `${recipient}\rFinal-Recipient: rfc822; victim@example.com`],
    ['a second address', `${recipient}, victim@example.com`],
    ['a NUL', `${recipient}\0`],
    ['a comment', `${recipient} (victim@example.com)`],
    ['a route', `@relay.example:${recipient}`],
  ])('names nobody with %s in its recipient', async (_what, value) => {
    const mail = mailOf('postfix-gave-up').replace(
      `Final-Recipient: rfc822; ${recipient}`,
      `Final-Recipient: rfc822; ${value}`,
    );
    expect((await read(mail)).flatMap(({ recipientKeys }) => recipientKeys)).toEqual([]);
  });

  it('is known by the header of the returned mail alone, not by what somebody wrote in it', async () => {
    const forged = `Message-ID: <${other}@support.example>`;
    const [report] = await changed('There is an answer', `${forged}\r\nX-Postern-Notification: ntf_x\r\n\r\nThere`);
    expect(report!.deliveryId).toBe(deliveryId);
    const body = mailOf('postfix-unknown-user')
      .replace(/^Message-ID: .*\r\n/m, '')
      .replace(/^X-Postern-Notification: .*\r\n/m, '')
      .replace('There is an answer', `${forged}\r\n`);
    expect(await read(body)).toEqual([]);
  });

  it('is read in bounded time and never throws, whatever it is', async () => {
    const names = ['postfix-unknown-user', 'gmail-unknown-user', 'qmail-unknown-user', 'arf-abuse'] as const;
    const junk = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\r\n', '\r', '\0', '--', ': ', '<'),
    );
    const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(200), put: junk });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.array(edit, { maxLength: 8 }), async (name, edits) => {
        const mail = edits.reduce((text, { at, cut, put }) => {
          const start = Math.floor(at * text.length);
          return text.slice(0, start) + put + text.slice(start + cut);
        }, mailOf(name));
        for (const report of await read(mail)) {
          expect(report.deliveryId).toMatch(/^dlv_[0-9a-z]{26}$/);
          expect(report.detail.length).toBeLessThan(3000);
          for (const one of report.recipientKeys) expect(one).toMatch(/^[!-~]{1,254}$/);
        }
      }),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
        expect(await readReturnedMail(Buffer.from(bytes))).toEqual([]);
      }),
    );
  });

  it.each([
    ['a field of 250 KB', 'X-Long: ', 'a'.repeat(250_000)],
    ['100,000 lines', 'X-Many: 1', '\r\nx:'.repeat(60_000)],
    ['folds without end', 'X-Fold: 1', '\r\n a'.repeat(60_000)],
    ['empty lines without end', 'X-None: 1', '\r\n'.repeat(100_000)],
    ['as many lines as are read', 'X-Fold: 1', '\r\n a'.repeat(9900)],
    ['spaces', 'Final-Recipient: rfc822; ', ' '.repeat(200_000)],
    ['digits', 'Status: ', '5.'.repeat(100_000)],
  ])('costs no more than its length with %s', async (_what, start, filling) => {
    const mail = mailOf('postfix-unknown-user').replace('Action: failed', `${start}${filling}\r\nAction: failed`);
    // The process' own time: others may be at work on the machine.
    const before = process.cpuUsage();
    await read(mail);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(2000);
  });

  it('is not followed into a thousand nested parts', async () => {
    const deep = Array.from(
      { length: 1000 },
      (_, n) => `Content-Type: multipart/report; boundary=b${n}\r\n\r\n--b${n}\r\n`,
    );
    expect(await read(deep.join(''))).toEqual([]);
  });
});
