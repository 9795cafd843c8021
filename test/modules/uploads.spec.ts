import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Drafts } from '../../src/tickets/drafts.js';
import { FileSweep } from '../../src/tickets/file-sweep.js';
import { png } from '../support/files.js';
import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import type { TestGateway } from '../support/gateway.js';
import type { Guest, Page } from '../support/guest.js';
import { someDatabase } from '../support/some-database.js';
import { rows } from '../support/tables.js';
import { askForCode, visit, type Visit } from '../support/visit.js';

const MIB = 1024 * 1024;

describe.each(someDatabase)('files that are uploaded one by one on $name', (database) => {
  let test: TestGateway;
  let one: Visit;
  beforeEach(async () => {
    ({ test } = await createGatewayAndReceiver({ database }));
    one = await visit(test);
  });
  afterEach(() => test.close());

  const note = (name: string, text = name) => ({ name, content: Buffer.from(text) });
  const big = (letter: string) => note(`${letter}.txt`, letter.repeat(9 * MIB));
  const hashOf = ({ content }: { content: Buffer }) => createHash('sha256').update(content).digest('hex');
  const path = () => `/tickets/${one.ticketId}`;
  const form = (page = one.page) => page.forms.find(({ action }) => action.endsWith('/replies'))!.fields;
  const upload = async (file: { name: string; content: Buffer }, guest = one.guest, page = one.page) => {
    const answer = await guest.post(`${path()}/files`, { formToken: form(page).formToken! }, { files: [file] });
    const isJson = answer.headers.get('content-type')?.includes('json');
    const { files = [], faults = [] } = isJson ? JSON.parse(answer.html) : {};
    return { status: answer.status, files, faults };
  };
  const remove = (sha256: string, name: string) =>
    one.guest.post(`${path()}/files/remove`, { formToken: form().formToken!, sha256, name });
  /** The reply form as the page's script sends it. */
  const reply = (
    keep: string[],
    {
      page = one.page,
      guest = one.guest,
      files = [] as { name: string; content: Buffer }[],
      body = 'See the files',
    } = {},
  ): Promise<Page> => {
    const data = new FormData();
    for (const [name, value] of Object.entries({ ...form(page), body })) if (name !== 'keep') data.append(name, value);
    for (const hash of keep) data.append('keep', hash);
    for (const { name, content } of files) data.append('files', new Blob([new Uint8Array(content)]), name);
    return guest.request(`${path()}/replies`, { method: 'POST', body: data, headers: { origin: test.url } }, false);
  };
  const stored = () => {
    const folder = join(test.gateway.config.dataDir, 'files');
    const all = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
    return all.filter((entry) => entry.isFile()).length;
  };
  const names = async () => (await rows(test, 'attachments')).map(({ name }) => name);

  it('wait in the draft, are shown after a reload, and go with the reply once', async () => {
    const [a, b] = [note('a.txt'), { name: 'b.png', content: png() }];
    expect(await upload(a)).toMatchObject({ status: 200, files: [{ name: 'a.txt', size: 5, sha256: hashOf(a) }] });
    expect((await upload(b)).status).toBe(200);
    const page = await one.guest.get(path());
    expect(page.html.match(/name="keep"/g)).toHaveLength(2);
    expect(page.text).not.toContain('we kept what you wrote');
    const answers = await Promise.all(Array.from({ length: 8 }, () => reply([hashOf(a), hashOf(b)])));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([303]));
    expect(await names()).toEqual(['a.txt', 'b.png']);
    expect(await rows(test, 'replies')).toHaveLength(1);
    expect(await rows(test, 'drafts')).toEqual([]);
    expect(stored()).toBe(2);
  });

  it('are each refused in the page’s words, and what is refused is not stored', async () => {
    expect(await upload({ name: 'x.svg', content: Buffer.from('<svg/>') })).toMatchObject({
      status: 422,
      files: [],
      faults: [expect.stringContaining('We cannot accept x.svg')],
    });
    expect((await upload({ name: 'x.png', content: Buffer.from('no picture') })).faults[0]).toContain('x.png');
    expect((await upload(note('empty.txt', ''))).faults).toEqual([expect.stringContaining('is empty')]);
    expect((await upload(note('big.txt', 'x'.repeat(10 * MIB + 1)))).faults).toEqual([
      expect.stringContaining('too large'),
    ]);
    expect(await rows(test, 'drafts')).toEqual([]);
    expect(stored()).toBe(0);
  });

  it('are counted and weighed over the draft, also many at once, and over draft and form together', async () => {
    const many = Array.from({ length: 12 }, (_, at) => note(`${at}.txt`));
    const answers = await Promise.all(many.map((file) => upload(file)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
    expect(answers.find(({ status }) => status === 422)!.faults).toEqual([expect.stringContaining('up to 5 files')]);
    expect(stored()).toBe(5);
    const kept = answers.flatMap(({ files }) => files.map(({ sha256 }: { sha256: string }) => sha256));
    const tooMany = await reply(kept, { files: [note('one more.txt')] });
    expect(tooMany.status).toBe(422);
    expect(tooMany.text).toContain('up to 5 files');
    await Promise.all(answers.flatMap(({ files }) => files).map(({ sha256, name }) => remove(sha256, name)));
    expect(stored()).toBe(0);
    const heavy = await Promise.all(['a', 'b', 'c'].map((letter) => upload(big(letter))));
    expect(heavy.map(({ status }) => status).toSorted()).toEqual([200, 200, 422]);
    const hashes = heavy.flatMap(({ files }) => files.map(({ sha256 }: { sha256: string }) => sha256));
    const tooLarge = await reply(hashes, { files: [big('d')] });
    expect(tooLarge.status).toBe(422);
    expect(tooLarge.text).toContain('too large together');
    expect(await rows(test, 'replies')).toEqual([]);
    expect(stored()).toBe(2);
  });

  it('brought twice are one file, taken away leave none, and both may be repeated', async () => {
    const a = note('a.txt');
    const answers = await Promise.all(Array.from({ length: 6 }, () => upload(a)));
    expect(answers.map(({ files }) => files[0].sha256)).toEqual(Array(6).fill(hashOf(a)));
    expect(stored()).toBe(1);
    const gone = await Promise.all([1, 2, 3].map(() => remove(hashOf(a), a.name)));
    expect(gone.map(({ status }) => status)).toEqual([204, 204, 204]);
    expect(await rows(test, 'drafts')).toEqual([]);
    expect(stored()).toBe(0);
  });

  it('of the same bytes under two names are two, and either can be taken away', async () => {
    const [a, b] = [note('a.txt', 'same'), note('b.txt', 'same')];
    await upload(a);
    await upload(b);
    expect(stored()).toBe(2);
    await remove(hashOf(a), a.name);
    expect((await reply([hashOf(b)])).status).toBe(303);
    expect(await names()).toEqual(['b.txt']);
    expect(stored()).toBe(1);
  });

  it('of two tabs do not get into each other’s replies, and none is lost', async () => {
    const [a, b] = [note('a.txt'), note('b.txt')];
    const second = await one.guest.get(path());
    await upload(a);
    await upload(b);
    expect((await reply([hashOf(a)])).status).toBe(303);
    expect(await names()).toEqual(['a.txt']);
    expect((await one.guest.get(path())).html).toContain('b.txt');
    expect((await reply([hashOf(b)], { page: second })).status).toBe(303);
    expect(await names()).toEqual(['a.txt', 'b.txt']);
    expect(stored()).toBe(2);
  });

  it('that another tab has taken away stop the reply, and its text is given back', async () => {
    const a = note('a.txt');
    await upload(a);
    await remove(hashOf(a), a.name);
    const refused = await reply([hashOf(a)], { body: 'Words that took a while' });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('This file is no longer here');
    expect(refused.html).toContain('Words that took a while');
    expect(await rows(test, 'replies')).toEqual([]);
  });

  it('whose upload seemed lost and that came again with the form are sent once, and leave nothing', async () => {
    const a = note('a.txt');
    await upload(a);
    expect((await reply([], { files: [a] })).status).toBe(303);
    expect(await names()).toEqual(['a.txt']);
    expect(await rows(test, 'drafts')).toEqual([]);
    expect(stored()).toBe(1);
  });

  it('outlive the session with the text, for the same mailbox', async () => {
    const a = note('a.txt');
    await upload(a);
    test.clock.advance({ minutes: 70 });
    expect((await upload(note('late.txt'))).status).toBe(404);
    for (let times = 0; times < 2; times++)
      expect((await reply([hashOf(a)], { files: [note('late.txt')], body: 'Too late' })).status).toBe(404);
    const { page, code } = await askForCode(test, one.guest, one.link);
    const back = await one.guest.submit(page, '/verify', { code });
    expect(form(back).body).toBe('Too late');
    expect(back.html.match(/name="keep"/g)).toHaveLength(2);
    expect((await reply([hashOf(a), hashOf(note('late.txt'))], { page: back })).status).toBe(303);
    expect((await names()).toSorted()).toEqual(['a.txt', 'late.txt']);
    expect(stored()).toBe(2);
  });

  it('are taken from this session alone, in this ticket, while it takes replies', async () => {
    const other = await visit(test, { email: 'mallory@example.com' });
    const a = note('a.txt');
    const tries: [Guest, Page][] = [
      [other.guest, other.page],
      [one.guest, other.page],
    ];
    for (const [guest, page] of tries) expect((await upload(a, guest, page)).status).toBeGreaterThanOrEqual(403);
    const foreign = await one.guest.post(
      `${path()}/files`,
      { formToken: form().formToken! },
      { files: [a], headers: { origin: 'https://evil.example' } },
    );
    expect(foreign.status).toBe(403);
    await upload(a);
    // Whoever knows the hash of somebody's file gets neither the file nor it taken away.
    const { formToken } = form(other.page);
    const theirs = `/tickets/${other.ticketId}`;
    await other.guest.post(`${theirs}/files/remove`, { formToken: formToken!, sha256: hashOf(a), name: a.name });
    const stolen = await other.guest.post(`${theirs}/replies`, { ...form(other.page), body: 'x', keep: hashOf(a) });
    expect(stolen.status).toBe(422);
    expect(stored()).toBe(1);
    await test.gateway.database.write((tx) => tx.query(`UPDATE tickets SET status = 'closed'`));
    expect((await upload(note('b.txt'))).status).toBe(409);
    expect(stored()).toBe(1);
  });

  it('that nobody sends are wiped when no session can be left, and swept for no earlier', async () => {
    await upload(note('a.txt'));
    await test.gateway.app.get(FileSweep).sweep();
    const hours = test.gateway.config.sessionLifetimeHours;
    test.clock.advance({ hours: hours - 1 });
    await test.gateway.app.get(Drafts).wipeExpired();
    expect(stored()).toBe(1);
    test.clock.advance({ hours: 1 });
    await Promise.all([1, 2, 3].map(() => test.gateway.app.get(Drafts).wipeExpired()));
    expect(await rows(test, 'drafts')).toEqual([]);
    expect(stored()).toBe(0);
  });

  it('are not taken for orphans however long their draft is added to', async () => {
    await upload(note('a.txt'));
    await test.gateway.database.write((tx) => tx.query(`UPDATE drafts SET expires_at = expires_at + 999999999`));
    test.clock.advance({ days: 3 });
    expect(await test.gateway.app.get(FileSweep).sweep()).toBe(0);
    expect(stored()).toBe(1);
    await test.gateway.database.write((tx) => tx.query('DELETE FROM drafts'));
    expect(await test.gateway.app.get(FileSweep).sweep()).toBe(1);
  });
});
