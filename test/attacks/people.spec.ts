import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { counted } from '../support/counted.js';
import { png } from '../support/files.js';
import type { TestGateway } from '../support/gateway.js';
import { Guest, type Page } from '../support/guest.js';
import { createHandingGateway } from '../support/handed.js';
import { linkOf } from '../support/mail.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { someDatabase } from '../support/some-database.js';
import { TestSource } from '../support/source.js';
import { change, dump, rows } from '../support/tables.js';
import { askForCode, newestMail, opened, visit, type Visit } from '../support/visit.js';

/** One of the ten: what their browser has, and what there is to take from them. */
interface Person {
  who: string;
  guest: Guest;
  /** What a form of theirs carries. */
  fields: Record<string, string>;
  ticketId: string;
  attachmentId: string;
  link: string | null;
  isLetIn: boolean;
}

const SECRET = 'Only for the eyes of';
const png1 = { name: 'a.png', content: png(), type: 'image/png' };

/** All that can be seen of an answer, but what was asked for and what a form carries. */
function shown({ status, html, headers }: Page): string {
  const page = html.replace(/"\/(t|tickets)\/[^"]*"/g, 'ASKED').replace(/value="[^"]*"/g, '');
  return `${status} ${headers.get('content-type')} ${headers.get('cache-control')} ${page}`;
}

describe.each(someDatabase)('ten people on $name', (database) => {
  let test: TestGateway;
  let receiver: Receiver;
  let elsewhere: TestGateway;
  let people: Person[];
  const others = generateWebhookSecret();

  beforeAll(async () => {
    receiver = await startReceiver();
    const outbound = { url: receiver.url, secret: generateWebhookSecret() };
    test = await createHandingGateway([{ outbound }, { name: 'other', secrets: [others], outbound }], { database });
    elsewhere = { ...test, source: new TestSource(test.url, others, test.clock, 'other') };
    people = await everyone();
  });
  afterAll(async () => {
    await test.close();
    await receiver.close();
  });

  const fieldsOf = (page: Page) => page.forms.find(({ action }) => action.endsWith('/replies'))!.fields;
  /** Somebody who was let in, with a file that they sent. */
  const person = async (who: string, { guest, ticketId, link, page }: Visit): Promise<Person> => {
    const sent = await guest.submit(page, '/replies', { body: `${SECRET} ${who}` }, { files: [png1] });
    const attachmentId = /\/attachments\/(att_\w+)/.exec(sent.html)![1]!;
    return { who, guest, ticketId, link, attachmentId, fields: fieldsOf(sent), isLetIn: true };
  };

  async function everyone(): Promise<Person[]> {
    const shared = { id: 'shared', number: '100' };
    const budi = 'budi@example.com';
    const expired = await person('expired', await visit(test, { email: 'expired@example.com' }));
    test.clock.advance({ minutes: 31 });

    const participants = [{ kind: 'guest', email: budi, name: 'Budi', locale: 'en' }];
    const requester = await person('requester', await visit(test, { ticket: shared, data: { participants } }));
    const guest = new Guest(test.url);
    const link = linkOf(newestMail(test, budi));
    const { page, code } = await askForCode(test, guest, link, budi);
    const inside = await guest.submit(page, '/verify', { code });
    const participant = await person('participant', { ...requester, guest, link, page: inside, email: budi });
    // The same mailbox, another ticket.
    const again = await person('requester again', await visit(test));
    const foreign = await person('of another source', await visit(elsewhere, { email: 'foreign@example.com' }));
    const plain = await person('of another ticket', await visit(test, { email: 'plain@example.com' }));

    const leaver = await person('logged out', await visit(test, { email: 'out@example.com' }));
    const cookies = new Map(leaver.guest.cookies);
    await leaver.guest.submit(await leaver.guest.get(`/tickets/${leaver.ticketId}`), '/logout');
    for (const [name, value] of cookies) leaver.guest.cookies.set(name, value);

    const former = await person('revoked', await visit(test, { email: 'former@example.com' }));
    await change(test, `UPDATE participants SET generation = generation + 1 WHERE email = 'former@example.com'`);

    const gone = { id: 'gone', number: '300' };
    const bereft = await person('of a deleted ticket', await visit(test, { email: 'gone@example.com', ticket: gone }));
    await test.source.send('ticket.deleted', { ticket: gone, requester: { email: 'gone@example.com' } });

    await test.source.send('ticket.replied', {
      ticket: { id: 'account', number: '400', url: 'https://app.example/400' },
      requester: { kind: 'account', id: 'u-9', email: 'ani@example.com' },
      message: {},
    });
    const accounts = (await rows(test, 'tickets')).find(({ source_ticket_id: id }) => id === 'account')!;
    const account = { ...plain, who: 'with an account', guest: new Guest(test.url), ticketId: String(accounts.id), link: null };
    for (const one of [expired, leaver, former, bereft, account]) one.isLetIn = false;
    await test.drain();
    await change(test, 'DELETE FROM limits');
    return [requester, participant, again, foreign, plain, expired, leaver, former, bereft, account];
  } // prettier-ignore

  /** Their browser; and the same with what opens their own ticket put under the name of another. */
  const browsers = (one: Person, target: Person): Guest[] => {
    const plain = new Guest(test.url);
    const renamed = new Guest(test.url);
    for (const guest of [plain, renamed]) for (const [name, value] of one.guest.cookies) guest.cookies.set(name, value);
    const own = one.guest.cookies.get(`postern-${one.ticketId}`) ?? 'A'.repeat(43);
    renamed.cookies.set(`postern-${target.ticketId}`, own);
    return [plain, renamed];
  };
  const reads = ({ ticketId, attachmentId }: Person): string[] => [
    `/tickets/${ticketId}`,
    `/tickets/${ticketId}?sent=x`,
    `/tickets/${ticketId}?mails=on&answer=yes&lang=en`,
    `/tickets/${ticketId}/attachments/${attachmentId}`,
    `/tickets/${ticketId}/attachments/${attachmentId}/preview`,
  ];
  const forms: [string, Record<string, string>][] = [
    ['replies', { body: 'not mine' }],
    ['solved', { solved: 'yes' }],
    ['seen', { until: '1' }],
    ['resume', {}],
    ['logout', {}],
  ];

  it('open each their own ticket by every route, and get one and the same answer for those of all others', async () => {
    expect(people).toHaveLength(10);
    const before = await dump(test);
    const refusals = new Map<string, Set<string>>();
    let refused = 0;
    let letIn = 0;
    const keep = (route: string, answer: Page) => {
      const { html } = answer;
      refusals.set(route, (refusals.get(route) ?? new Set()).add(shown(answer)));
      expect([route, html.includes(SECRET) || html.includes('Mohon kirim')]).toEqual([route, false]);
      refused++;
    };
    for (const one of people)
      for (const target of people) {
        const isOwn = one.isLetIn && one.ticketId === target.ticketId;
        const cell = `${one.who} at that of ${target.who}`;
        for (const guest of browsers(one, target)) {
          for (const [n, path] of reads(target).entries()) {
            const answer = await guest.get(path);
            expect([cell, path, answer.status]).toEqual([cell, path, isOwn ? 200 : 404]);
            if (isOwn) letIn++;
            else keep(`GET ${n === 4 ? 'preview' : 'page'}`, answer);
          }
          const stream = `/tickets/${target.ticketId}/stream`;
          const looked = await guest.request(stream, { method: 'HEAD' });
          expect([cell, stream, looked.status]).toEqual([cell, stream, isOwn ? 200 : 404]);
          if (isOwn) continue;
          const file = `/tickets/${one.ticketId}/attachments/${target.attachmentId}`;
          // The account has sent no file: what stands there is that of another ticket.
          if (one.isLetIn && target.attachmentId !== one.attachmentId) {
            for (const [n, path] of [file, `${file}/preview`].entries()) {
              const answer = await guest.get(path);
              expect([cell, path, answer.status]).toEqual([cell, path, 404]);
              keep(`GET ${n === 0 ? 'a file' : 'a picture'} by an own ticket of ${one.who}`, answer);
            }
          }
          keep('GET stream', await guest.get(stream));
          for (const [end, values] of forms) {
            // What comes too late, with the cookie that was good once, waits for its writer as a draft: drafts.spec.ts.
            if (end === 'replies' && one.who === 'expired' && target === one) continue;
            const answer = await guest.post(`/tickets/${target.ticketId}/${end}`, { ...one.fields, ...values });
            expect([cell, end, answer.status]).toEqual([cell, end, 404]);
            keep(`POST ${end}`, answer);
          }
        }
      }
    for (const [route, seen] of refusals) expect([route, seen.size]).toEqual([route, 1]);
    expect(await dump(test)).toBe(before);
    expect(refused).toBeGreaterThan(1900);
    expect(letIn).toBe((4 + 3) * 2 * 5);
    counted('people at tickets of others', refused);
  }, 120_000);

  it('get the same answer for every link that is dead, whoever shows it, and no link shows a ticket', async () => {
    const before = await dump(test);
    const seen = new Set<string>();
    let refused = 0;
    const dead = people.filter(({ who }) => who === 'revoked' || who === 'of a deleted ticket');
    const links = [...dead.map(({ link }) => link!), '/t/none', `${people[0]!.link!.slice(0, -1)}!`];
    const own = await Promise.all(people.map(({ guest }) => guest.get('/check')));
    for (const [n, { guest, who }] of people.entries()) {
      const formToken = own[n]!.forms.find(({ action }) => action.endsWith('/check'))!.fields.formToken!;
      for (const link of links) {
        const answers = [
          ...(await Promise.all(['', '/code', '/code?again=1', '/not-mine', '/stop'].map((end) => guest.get(link + end)))),
          ...(await Promise.all(
            ['/code', '/verify', '/renew', '/not-mine', '/stop'].map((end) =>
              guest.post(link + end, { formToken, code: '123456' }),
            ),
          )),
          await guest.post(`${link}/stop`, { 'List-Unsubscribe': 'One-Click' }),
        ];
        for (const answer of answers) {
          expect([who, link, answer.status]).toEqual([who, link, 404]);
          seen.add(shown(answer));
          refused++;
        }
      }
      for (const { link, ticketId } of people.filter((one) => one.link !== null && !dead.includes(one))) {
        const page = await guest.get(link!);
        expect(page.html).not.toMatch(new RegExp(`${SECRET}|Mohon kirim|${ticketId}|@example`));
        refused++;
      }
    }
    expect(seen.size).toBe(1);
    expect(await dump(test)).toBe(before);
    counted('people at tickets of others', refused);
  }, 120_000); // prettier-ignore

  it('let nobody in by the code of another, whoever shows whose link', async () => {
    const alive = people.filter(({ isLetIn, who }) => isLetIn && who !== 'participant');
    const codes: string[] = [];
    for (const { link } of alive) {
      test.clock.advance({ seconds: 61 });
      const { participantId } = opened(test, link!);
      const [{ email }] = (await rows(test, 'participants', `id = '${participantId}'`)) as [{ email: string }];
      codes.push((await askForCode(test, new Guest(test.url), link!, email)).code);
    }
    let refused = 0;
    for (const [n, { link }] of alive.entries())
      for (const [m, code] of codes.entries()) {
        if (n === m || codes[n] === code) continue;
        const guest = new Guest(test.url);
        const page = await guest.get(`${link}/code`);
        const answer = await guest.submit(page, '/verify', { code });
        expect([n, m, answer.status]).toEqual([n, m, 422]);
        expect([...guest.cookies.keys()].filter((name) => name.includes('tkt_'))).toEqual([]);
        refused++;
      }
    counted('people at tickets of others', refused);
  });

  it('may do what is theirs with what they were let in by', async () => {
    for (const { who, guest, fields, ticketId } of people.filter(({ isLetIn }) => isLetIn)) {
      await change(test, `UPDATE sessions SET last_used_at = ${test.clock.now()}`);
      const statuses: number[] = [];
      for (const [end, values] of forms)
        statuses.push((await guest.post(`/tickets/${ticketId}/${end}`, { ...fields, ...values }, { follow: false })).status);
      expect([who, ...statuses]).toEqual([who, 303, 303, 204, 303, 200]);
    }
  }); // prettier-ignore
});
