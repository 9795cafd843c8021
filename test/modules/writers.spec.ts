import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { markedReply, withMark } from '../../src/outbound/reply-mark.js';
import { adfAsMarkdown } from '../../src/intake/sources/adf.js';
import type { JsonValue } from '../../src/platform/strict-json.js';
import { newId } from '../../src/ids.js';
import { desks, startDesk, type Desk, type DeskKind } from '../support/desks.js';
import { png } from '../support/files.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { answer, reset, silence } from '../support/scripted-http.js';
import { someDatabase } from '../support/some-database.js';
import { rows } from '../support/tables.js';
import { visit } from '../support/visit.js';

const SECOND = 1000;
const AUTHORIZATION = 'Bearer the-secret-of-the-desk';

describe.each(someDatabase)('replies written into the ticket system, on $name', (database) => {
  describe.each(desks)('$writer', (kind: DeskKind) => {
    let test: TestGateway;
    let desk: Desk;
    let folder: string;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'postern-writers-'));
      desk = await startDesk(kind);
      const secret = generateWebhookSecret();
      const source = {
        name: 'default',
        secrets: [secret],
        api: { url: desk.http.origin, authorization: AUTHORIZATION },
        writer: kind.writer,
      };
      const file = join(folder, 'sources.yaml');
      writeFileSync(file, JSON.stringify({ sources: [source] }));
      test = await createGateway({ database, settings: { SOURCES_FILE: file, SOURCE_SECRET: secret } });
    });
    afterAll(async () => {
      await test.close();
      await desk.http.close();
      rmSync(folder, { recursive: true });
    });
    beforeEach(() => {
      test.clock.advance({ days: 2 });
      Object.assign(desk, { notes: [], refusals: [], losesAnswer: false, refusesFiles: false });
      desk.http.requests.length = 0;
      desk.people.set('siti@example.com', 7);
    });

    const reply = async (body: string, files: { name: string; content: Buffer }[] = [], email = 'siti@example.com') => {
      const ticket = { id: kind.ticketId, number: kind.ticketId, status: 'open' };
      const data = email === 'siti@example.com' ? {} : { participants: [{ kind: 'guest', email }] };
      const { guest, page, ticketId } = await visit(test, { ticket, email, data });
      const shown = await guest.submit(page, '/replies', { body }, { files });
      if (shown.status !== 200) throw new Error(shown.text);
      return { guest, shown, ticketId };
    };
    const message = async () => (await rows(test, 'outbound_messages')).at(-1)!;
    const attempts = async () =>
      (await rows(test, 'outbound_attempts', `message_id = '${String((await message()).id)}'`)).map(
        ({ outcome }) => outcome,
      );
    const pictures = [
      { name: 'bukti "satu".png', content: png() },
      { name: 'bukti-2.png', content: png() },
    ];

    it('arrive once, public, in the guest’s name where there is one, with their files byte for byte', async () => {
      const { guest, shown } = await reply('Ini ID <b>transaksinya</b> & semuanya: 7 < 8', pictures);
      await test.drain();
      await test.drain();
      expect(desk.notes).toHaveLength(1);
      const [note] = desk.notes;
      expect(note!.isPublic).toBe(true);
      expect(note!.text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')).toContain(
        'Ini ID <b>transaksinya</b> & semuanya: 7 < 8',
      );
      expect(note!.files.map(({ content }) => content)).toEqual([png(), png()]);
      expect(note!.files[1]!.name).toBe('bukti-2.png');
      expect(note!.author).toBe({ zammad: 'Customer', zendesk: 7, freshdesk: 7, jira: null }[kind.writer]);
      if (kind.writer === 'jira') expect(note!.text).toContain('siti@example.com:');
      expect(desk.http.requests.every(({ headers }) => headers.authorization === AUTHORIZATION)).toBe(true);
      expect(await message()).toMatchObject({ state: 'delivered' });
      expect((await guest.get(shown.url)).text).toContain('Delivered');
      expect(test.logs.join()).not.toContain('the-secret-of-the-desk');
    });

    it('say just their words where the system knows markup: they mention nobody, load nothing and embed nothing', async () => {
      if (kind.writer !== 'jira') return;
      const hostile =
        'h1. Big\nbq. said (/) (y) :) :D\nLook [~accountid:5b10] and !https://evil.example/x.png|width=1! {color:red}now{color} \\\\[~admin] ||a||b|| *b* https://a.example/x_y-z?q=!p! C:\\dir <b>x</b>';
      desk.losesAnswer = true;
      await reply(hostile);
      await test.drain();
      const [note] = desk.notes;
      // Nothing that opens a mention, a picture, a macro or a table stands without its escape, and no escape is escaped.
      const guests = note!.text.slice(0, note!.text.lastIndexOf('\n\n[rpl_'));
      expect(guests.replace(/\\[[\]{}!|*_+\-^~?#().:]/g, '')).not.toMatch(/[\\[\]{}!|()]|:D|^(h1|bq)\./m);
      expect(guests).toContain('https://a.example/x_y-z?q=');
      expect(guests.replaceAll('\\', '').replaceAll('&#92;', '\\')).toContain(hostile);
      // And it is known again.
      test.clock.advance({ seconds: 10 });
      await test.drain();
      expect(desk.notes).toHaveLength(1);
      expect(await attempts()).toEqual(['connect', 'was there']);
    });

    it('are claimed when their turn has come, so that no lease runs out in line', async () => {
      desk.refusals.push(...Array.from({ length: 10 }, () => silence));
      const { guest, ticketId } = await reply('one of several');
      for (let n = 0; n < 3; n++)
        await guest.submit(await guest.get(`/tickets/${ticketId}`), '/replies', { body: `another one, ${n}` });
      const drained = test.drain();
      const writing = () => desk.http.requests.filter(({ method }) => method !== 'GET').length;
      while (writing() < 2) await new Promise((resolve) => setImmediate(resolve));
      expect(await rows(test, 'outbound_messages', `state = 'leased'`)).toHaveLength(2);
      desk.refusals.length = 0;
      desk.http.drop();
      await drained;
      test.clock.advance({ minutes: 1 });
      await test.drain();
      expect(desk.notes).toHaveLength(4);
    });

    it('are not doubled by a lost answer, nor by a worker that died after it wrote', async () => {
      desk.losesAnswer = true;
      await reply('once and only once', pictures);
      await test.drain();
      expect(desk.notes).toHaveLength(1);
      // Somebody put a letter right there in the meantime.
      desk.notes[0]!.text = desk.notes[0]!.text.replace('once', 'Once upon');
      expect((await message()).state).toBe('queued');
      test.clock.advance({ seconds: 10 });
      await test.drain();
      expect(desk.notes).toHaveLength(1);
      expect(await attempts()).toEqual(['connect', 'was there']);
      expect((await message()).state).toBe('delivered');
      // What a killed process leaves behind.
      const { id } = await message();
      await test.gateway.database.write((tx) =>
        tx.query(
          `UPDATE outbound_messages SET state = 'leased', ended_at = NULL, next_attempt_at = ${test.clock.now() + 60_000} WHERE id = '${String(id)}'`,
        ),
      );
      test.clock.advance({ seconds: 90 });
      await test.drain();
      expect(desk.notes).toHaveLength(1);
      expect((await message()).state).toBe('delivered');
    });

    it('wait where the system is busy, broken or does not know us, as long as it asks', async () => {
      const again = [
        answer(429, { error: 'too many' }, { 'retry-after': '1800' }),
        answer(500, 'oops'),
        answer(503, ''),
        answer(401, { error: "Couldn't authenticate you" }),
        reset,
      ];
      desk.refusals.push(...again);
      await reply('patience');
      await test.drain();
      const left = Number((await message()).next_attempt_at) - test.clock.now();
      expect(left).toBeGreaterThanOrEqual(1800 * SECOND);
      for (const n of again.keys()) {
        expect([n, (await message()).state, desk.notes.length]).toEqual([n, 'queued', 0]);
        test.clock.advance({ hours: 6 });
        await test.drain();
      }
      expect(await attempts()).toEqual(['429', '500', '503', '401', 'connect', 'written']);
      expect(desk.notes).toHaveLength(1);
    });

    it('end in sight where the ticket takes nothing more, and the guest is told', async () => {
      desk.refusals.push(kind.closed, kind.closed);
      const { guest, shown } = await reply('too late', pictures.slice(0, 1));
      await test.drain();
      expect(await message()).toMatchObject({ state: 'parked' });
      expect(String((await attempts())[0])).toContain('the ticket is closed');
      expect((await guest.get(shown.url)).text).toContain('Not delivered');
      test.clock.advance({ days: 3 });
      await test.drain();
      expect(desk.notes).toHaveLength(0);
      expect(test.logs.filter((line) => line.includes('"level":50')).join()).not.toContain('too late');
    });

    it('keep their text where a file is refused, and say where the file is', async () => {
      desk.refusesFiles = true;
      await reply('the text must arrive', pictures);
      await test.drain();
      expect(desk.notes).toHaveLength(1);
      expect(desk.notes[0]!.files).toEqual([]);
      expect(desk.notes[0]!.text).toContain('the text must arrive');
      expect(await attempts()).toEqual(['written, 2 files as links']);
      const urls = [...desk.notes[0]!.text.matchAll(/https?:[^\s<]+\/v1\/files\/[^\s<]+/g)].map(([url]) => url);
      expect(urls).toHaveLength(2);
      for (const url of urls) {
        const fetched = await fetch(url);
        expect([fetched.status, Buffer.from(await fetched.arrayBuffer())]).toEqual([200, png()]);
      }
    });

    it('say whose words they are where the system does not know the guest', async () => {
      desk.people.clear();
      await reply('somebody new', [], 'budi@example.com');
      await test.drain();
      expect(desk.notes).toHaveLength(1);
      if (kind.writer !== 'zammad') expect(desk.notes[0]).toMatchObject({ author: null });
      if (kind.writer !== 'zammad') expect(desk.notes[0]!.text).toContain('budi@example.com:');
    });

    it('come back as what they are: shown once, and not told to their writer', async () => {
      const { guest, shown, ticketId } = await reply('my echo', pictures.slice(0, 1));
      await test.drain();
      const mails = () => test.inbox.messages.filter(({ to }) => to.includes('siti@example.com')).length;
      const before = mails();
      const [note] = desk.notes;
      const replyId = String((await message()).subject_id);
      // Zendesk and Zammad have a place for the id, which their adapters read.
      const named = kind.writer === 'zammad' || kind.writer === 'zendesk' ? { replyId } : {};
      const asItComes: Partial<Record<DeskKind['writer'], object>> = {
        freshdesk: { format: 'html' },
        // Its escapes are gone in the document.
        jira: { format: 'markdown', body: adfAsMarkdown(asDocument(note!.text.replace(/\\(.)/g, '$1'))) },
      };
      await test.source.send('ticket.replied', {
        ticket: { id: kind.ticketId, number: kind.ticketId },
        requester: { locale: 'en' },
        message: {
          id: `echo-${replyId}`,
          body: note!.text,
          format: 'text',
          ...named,
          ...asItComes[kind.writer],
        },
      });
      await test.drain();
      expect(mails()).toBe(before);
      const page = await guest.get(`/tickets/${ticketId}`);
      expect(page.text.split('my echo')).toHaveLength(2);
      expect(page.text).not.toContain('[rpl_');
      expect((await guest.get(shown.url)).text).toContain('Delivered');
    });

    it('are taken by one worker alone, however long the system takes', async () => {
      desk.refusals.push(silence);
      await reply('slow');
      const first = test.drain();
      while (desk.http.requests.every(({ method }) => method === 'GET'))
        await new Promise((resolve) => setImmediate(resolve));
      const { state, next_attempt_at: until } = await message();
      expect(state).toBe('leased');
      // Longer than a call of 45 s.
      expect(Number(until) - test.clock.now()).toBeGreaterThan(50 * SECOND);
      desk.http.drop();
      await first;
      expect((await message()).state).toBe('queued');
      test.clock.advance({ seconds: 10 });
      await test.drain();
      expect(desk.notes).toHaveLength(1);
    });

    it('are left alone by a worker whose lease ran out in the middle: another one has them', async () => {
      let release = () => {};
      desk.http.scripts.push((response, request) => (release = () => desk.http.otherwise(response, request)));
      await reply('taken over');
      const slow = test.drain();
      while (desk.http.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
      await test.gateway.database.write((tx) =>
        tx.query(`UPDATE outbound_messages SET next_attempt_at = next_attempt_at + 60000 WHERE ended_at IS NULL`),
      );
      release();
      await slow;
      expect(desk.notes).toHaveLength(0);
      expect(await attempts()).toEqual([]);
      expect(test.logs.join()).toContain('another worker has it');
      test.clock.advance({ minutes: 3 });
      await test.drain();
      expect(desk.notes).toHaveLength(1);
    });

    it('"not solved" opens the ticket again, unless somebody did; where there is no state, nobody is asked', async () => {
      const { solved = '', open = '' } = kind.statuses ?? {};
      desk.status = solved;
      const { guest, ticketId } = await reply('not yet');
      await test.source.send('ticket.resolved', {
        ticket: { id: kind.ticketId, number: kind.ticketId, status: 'resolved' },
      });
      await test.drain();
      const page = await guest.get(`/tickets/${ticketId}`);
      expect(page.forms.some(({ action }) => action.endsWith('/solved'))).toBe(kind.statuses !== undefined);
      if (!kind.statuses) return;
      await guest.submit(page, '/solved', { solved: 'no' });
      await test.drain();
      expect(desk.status).toBe(open);
      const puts = desk.http.requests.filter(({ method }) => method === 'PUT').length;
      test.clock.advance({ minutes: 1 });
      await test.source.send('ticket.reopened', {
        ticket: { id: kind.ticketId, number: kind.ticketId, status: 'open' },
      });
      await test.source.send('ticket.resolved', {
        ticket: { id: kind.ticketId, number: kind.ticketId, status: 'resolved' },
      });
      await test.drain();
      await guest.submit(await guest.get(`/tickets/${ticketId}`), '/solved', { solved: 'no' });
      await test.drain();
      expect(desk.http.requests.filter(({ method }) => method === 'PUT')).toHaveLength(puts);
      expect((await message()).state).toBe('delivered');
    });
  });
});

/** What Jira makes of a comment for its webhook. */
function asDocument(text: string): JsonValue {
  const words = (line: string) =>
    line.split(/(https:\S+)/).flatMap((one, i) => {
      const marks = i % 2 ? { marks: [{ type: 'link', attrs: { href: one } }] } : {};
      return one === '' ? [] : [{ type: 'text', text: one, ...marks }];
    });
  const lines = (block: string) => block.split('\n').flatMap((line) => [...words(line), { type: 'hardBreak' }]);
  const content = text.split('\n\n').map((block) => ({ type: 'paragraph', content: lines(block).slice(0, -1) }));
  return { type: 'doc', version: 1, content } as unknown as JsonValue;
}

describe('the mark of a reply', () => {
  const id = newId('rpl', 1_764_000_000_000);
  const text = withMark(id, 'siti@example.com:\n\nÏni “ID” saya: 7 < 8 & 9 > 3\nhttps://a.example/x?y=1');

  it('is found again in what ticket systems make of a text', () => {
    for (const form of [
      text,
      `${text}\n`,
      text.replace(/\s+/g, ' '),
      text.replaceAll('\n', '\r\n'),
      `<div>${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\n', '<br>')}</div>`,
      text.normalize('NFD'),
      `<div>${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('Ï', '&Iuml;').replaceAll('“', '&ldquo;')}</div>`,
      text.replace(/https:\S+/, (url) => `[${url}|${url}|smart-link]`),
      adfAsMarkdown(asDocument(text)),
    ])
      expect([form, markedReply(form)]).toEqual([form, id]);
  });

  it('is none in an answer that quotes the reply', () => {
    for (const form of [
      `Terima kasih.\n\n${text}`,
      `<p>Thanks</p><blockquote>${text}</blockquote>`,
      `${text}\nThanks`,
      text.replace('saya', 'kamu'),
      text.replace(/:[0-9a-f]{8}\]/, ':00000000]'),
      `[${id}]`,
    ])
      expect([form, markedReply(form)]).toEqual([form, undefined]);
  });
});
