import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Drafts } from '../../src/tickets/drafts.js';
import { png } from '../support/files.js';
import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import type { TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { someDatabase } from '../support/some-database.js';
import { dump, rows } from '../support/tables.js';
import { askForCode, visit, type Visit } from '../support/visit.js';

describe.each(someDatabase)('a reply whose session was over on $name', (database) => {
  let test: TestGateway;
  beforeEach(async () => {
    ({ test } = await createGatewayAndReceiver({ database }));
  });
  afterEach(() => test.close());

  const WORDS = 'It took me half an hour to write this';
  const files = [{ name: 'bukti.png', content: png() }];
  const stored = () => {
    const folder = join(test.gateway.config.dataDir, 'files');
    const all = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
    return all.filter((one) => one.isFile()).length;
  };
  const comeTooLate = async (): Promise<Visit> => {
    const one = await visit(test);
    test.clock.advance({ minutes: 31 });
    return {
      ...one,
      page: await one.guest.submit(one.page, '/replies', { body: WORDS }, { files }),
    };
  };
  const comeBack = async ({ link, email }: Visit, guest = new Guest(test.url)) => {
    const { page, code } = await askForCode(test, guest, link, email);
    return { guest, page: await guest.submit(page, '/verify', { code }) };
  };

  it('waits with its files for the next code, is sent once, and is gone then', async () => {
    const late = await comeTooLate();
    expect(late.page.status).toBe(404);
    expect(late.page.text).toContain(WORDS);
    expect(late.page.text).toContain('We keep your text and files for one hour');
    expect(await dump(test)).not.toContain(WORDS);

    const { guest, page } = await comeBack(late);
    const form = page.forms.find(({ action }) => action.endsWith('/replies'))!;
    expect(form.fields.body).toBe(WORDS);
    expect(page.text).toContain('bukti.png');
    const keep = /name="keep" value="(\w{64})"/.exec(page.html)![1]!;
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => guest.submit(page, '/replies', { keep }, { follow: false })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([303]));
    const shown = await guest.get(answers[0]!.headers.get('location')!);
    expect(shown.html).toContain('bukti.png</bdi>');
    expect(shown.forms.find(({ action }) => action.endsWith('/replies'))!.fields.body).toBe('');
    expect(await rows(test, 'replies')).toHaveLength(1);
    expect(await rows(test, 'attachments')).toHaveLength(1);
    expect(await rows(test, 'drafts')).toEqual([]);
    expect(stored()).toBe(1);
    const file = /href="(\/tickets\/\w+\/attachments\/\w+)"/.exec(shown.html)![1]!;
    expect((await guest.get(file)).status).toBe(200);
  });

  it('leaves behind nothing of a file that its writer took away', async () => {
    const { guest, page } = await comeBack(await comeTooLate());
    await guest.submit(page, '/replies', { body: 'Without the picture' });
    expect(await rows(test, 'attachments')).toEqual([]);
    expect(stored()).toBe(0);
  });

  it('is wiped after an hour, with its files', async () => {
    const late = await comeTooLate();
    test.clock.advance({ minutes: 61 });
    const { page } = await comeBack(late);
    expect(page.html).not.toContain(WORDS);
    await Promise.all([1, 2, 3].map(() => test.gateway.app.get(Drafts).wipeExpired()));
    expect(await rows(test, 'drafts')).toEqual([]);
    expect(stored()).toBe(0);
  });

  it('is there for its writer alone', async () => {
    await comeTooLate();
    const other = await visit(test, { email: 'mallory@example.com' });
    expect(other.page.html).not.toContain(WORDS);
    expect(other.page.html).not.toContain('bukti.png');
  });

  it('is stored for no unknown cookie, no other ticket, no revoked person, and after no logout', async () => {
    const one = await visit(test);
    const other = await visit(test, { email: 'mallory@example.com' });
    const form = one.page.forms.find(({ action }) => action.endsWith('/replies'))!;
    const send = (guest: Guest) => guest.post(form.action, { ...form.fields, body: WORDS }, { files });
    const cookie = `postern-${one.ticketId}`;

    const forged = new Guest(test.url);
    forged.cookies.set(cookie, 'A'.repeat(43));
    const swapped = new Guest(test.url);
    swapped.cookies.set(cookie, other.guest.cookies.get(`postern-${other.ticketId}`)!);
    test.clock.advance({ minutes: 31 });
    for (const guest of [forged, swapped, other.guest]) {
      const answer = await send(guest);
      expect(answer.status).toBe(404);
      expect(answer.text).toContain(WORDS);
      expect(answer.text).not.toContain('We kept');
    }
    // The cookie is genuine, the form is not.
    expect((await one.guest.post(form.action, { ...form.fields, formToken: 'x', body: WORDS }, { files })).status).toBe(
      403,
    );
    await test.gateway.database.write((tx) => tx.query('UPDATE participants SET generation = generation + 1'));
    expect((await send(one.guest)).text).not.toContain('We kept');

    const third = await visit(test, { email: 'budi@example.com' });
    const kept = third.guest.cookies.get(`postern-${third.ticketId}`)!;
    await third.guest.submit(third.page, '/logout');
    third.guest.cookies.set(`postern-${third.ticketId}`, kept);
    const late = await third.guest.submit(third.page, '/replies', { body: WORDS }, { files });
    expect(late.text).not.toContain('We kept');
    expect(await rows(test, 'drafts')).toEqual([]);
    expect(stored()).toBe(0);
  });
});
