import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entities } from '../../src/entities.js';
import { parseEvent, silentTypes, tellingTypes, type TicketEvent } from '../../src/events.js';
import { newId, type Id } from '../../src/ids.js';
import { Database, type Transaction } from '../../src/platform/database/database.js';
import { findConversation, listEntries } from '../../src/tickets/conversation.js';
import type { EventOf } from '../../src/tickets/known-tickets.js';
import { Projection, type AppliedEvent } from '../../src/tickets/projection.js';
import { Attachment, Message, Participant, Reply, Ticket } from '../../src/tickets/ticket.entity.js';
import { databases, type TestDatabase } from '../support/databases.js';
import { isLong } from '../support/long.js';

type Json = Record<string, unknown>;
interface Given {
  /** The ticket's version; its time follows from it. */
  v: number;
  ticket?: Json;
  requester?: Json;
  participants?: Json[];
  message?: Json;
  history?: Json[];
  into?: string;
}
/** Its id is made of it, unless told. */
type Sent = [type: string, given: Given, id?: string];

const NOW = Date.parse('2026-11-23T12:00:00Z');
const at = (v: number) => new Date(NOW - 3_600_000 + v * 60_000).toISOString();
const siti = { kind: 'guest', email: 'siti@example.com', name: 'Siti', locale: 'id-ID', timeZone: 'Asia/Jakarta' };
const budi = { kind: 'guest', email: 'budi@example.com', name: 'Budi' };
const agent = { kind: 'agent', name: 'Rina' };
const message = (id: string, body: string, more: Json = {}): Json => ({
  id,
  author: agent,
  body,
  visibility: 'public',
  ...more,
});

/** As intake applies what came together. */
async function applyGroup(tx: Transaction, events: EventOf[]): Promise<(AppliedEvent | null)[]> {
  const projection = await Projection.load(tx, events, NOW);
  const applied = events.map((event) => projection.apply(event));
  await projection.save();
  return applied;
}

function permutations<T>(list: T[]): T[][] {
  if (list.length < 2) return [list];
  return list.flatMap((one, i) =>
    permutations([...list.slice(0, i), ...list.slice(i + 1)]).map((rest) => [one, ...rest]),
  );
}

describe.each(databases)('what Postern knows of a ticket, on $name', (kind) => {
  let folder: string;
  let test: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-test-'));
    test = await kind.create(folder);
    database = await Database.open(
      test.url.startsWith('sqlite:')
        ? { kind: 'sqlite', path: test.url.slice(7) }
        : { kind: 'postgres', url: test.url },
      entities,
    );
  });
  afterAll(async () => {
    await database.close();
    await test.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** One ticket under test; events are applied as intake does, each in a transaction. */
  function newTicket(source = 'acme') {
    const sourceTicketId = randomUUID();
    const event = (type: string, given: Given): TicketEvent => {
      const { v, ticket, requester = siti, participants, message, history, into } = given;
      const parsed = parseEvent({
        type,
        timestamp: at(v),
        data: {
          ticket: {
            id: sourceTicketId,
            number: '12345',
            subject: 'Penarikan',
            status: 'open',
            version: v,
            updatedAt: at(v),
            ...ticket,
          },
          ...{ requester, participants, message, history, into },
        },
      });
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
      return parsed.event;
    };
    const eventOf = ([type, given, id = JSON.stringify([type, given])]: Sent): EventOf => ({
      source,
      sourceEventId: id,
      event: event(type, given),
    });
    const apply = async (...sent: Sent): Promise<AppliedEvent | null> =>
      (await database.write((tx) => applyGroup(tx, [eventOf(sent)])))[0]!;
    const row = () => database.read((manager) => manager.findOneByOrFail(Ticket, { source, sourceTicketId }));
    const people = async () => {
      const { id: ticketId } = await row();
      return database.read((manager) => manager.find(Participant, { where: { ticketId }, order: { emailKey: 'ASC' } }));
    };
    /** What this person sees; null if nothing any more. */
    const seenBy = async (email: string, generation?: number) => {
      const person = (await people()).find((one) => one.email === email);
      if (!person) return null;
      return database.read(async (manager) => {
        const access = {
          ticketId: person.ticketId,
          participantId: person.id,
          generation: generation ?? person.generation,
        };
        const conversation = await findConversation(manager, access);
        if (!conversation) return null;
        const { entries } = await listEntries(manager, conversation, { most: 1000 });
        return entries.map(({ attachments, id: _, replyId, ...entry }) => ({
          ...entry,
          isReply: replyId !== null,
          files: attachments.map(({ name, contentType, size, url }) => ({ name, contentType, size, url })),
        }));
      });
    };
    /** Everything that anybody can see. */
    const state = async () => {
      const { id: _, stated: __, ...ticket } = await row();
      const present = (await people()).filter(({ endedAt }) => endedAt === null);
      const views = [];
      for (const { kind: type, role, email, accountId, name, locale, timeZone } of present)
        views.push({ type, role, email, accountId, name, locale, timeZone, sees: await seenBy(email) });
      return { ticket, views };
    };
    const bodies = async (email = siti.email) =>
      (await seenBy(email))?.map(({ html }) => html.replace(/<[^>]+>/g, '').trim());
    const reply = async (body: string, email = siti.email, file?: string) => {
      const person = (await people()).find((one) => one.email === email)!;
      const reply: Reply = {
        id: newId('rpl', NOW),
        ticketId: person.ticketId,
        participantId: person.id,
        body,
        formKey: randomUUID(),
        createdAt: NOW,
      };
      await database.write(async (tx) => {
        await tx.insert(Reply, reply);
        if (file)
          await tx.insert(Attachment, {
            ...{ id: newId('att', NOW), ticketId: reply.ticketId, messageId: null, replyId: reply.id, position: 0 },
            ...{ name: file, contentType: 'image/png', size: 3, url: null, file: `stored-${file}`, sha256: 'x' },
          });
      });
      return reply.id;
    };
    /** All that is stored of it, without the ids that are made here. */
    const rows = async () => {
      const ticket = await row();
      const where = { ticketId: ticket.id };
      const [people, messages, files, replies] = await database.read((manager) =>
        Promise.all([
          manager.find(Participant, { where, order: { emailKey: 'ASC' } }),
          manager.find(Message, { where, order: { sourceMessageId: 'ASC' } }),
          manager.find(Attachment, { where, order: { position: 'ASC' } }),
          manager.find(Reply, { where, order: { id: 'ASC' } }),
        ]),
      );
      const sameReply = (id: string | null) => replies.findIndex((one) => one.id === id);
      const same = { id: 'ours', ticketId: 'ours' };
      return {
        ticket: { ...ticket, ...same, sourceTicketId: 'its own' },
        people: people.map((one) => ({ ...one, ...same })),
        replies: replies.map(({ body }) => body),
        messages: messages.map((one) => ({
          ...{ ...one, ...same, replyId: sameReply(one.replyId) },
          files: files
            .filter(({ messageId }) => messageId === one.id)
            .map((file) => ({ ...file, ...same, messageId: '' })),
        })),
        filesOfReplies: files.filter(({ replyId }) => replyId !== null).map(({ name, file }) => [name, file]),
        strayFiles: files.filter(({ messageId }) => messageId && !messages.some(({ id }) => id === messageId)),
      };
    };
    return { sourceTicketId, eventOf, apply, row, rows, people, seenBy, state, bodies, reply };
  }

  const everything = async () => {
    const tables = [Ticket, Participant, Message, Attachment, Reply];
    return JSON.stringify(
      await database.read((manager) => Promise.all(tables.map((table) => manager.find<object>(table)))),
    );
  };

  describe('is the same in the end, in whatever order five events come:', () => {
    const stories: Record<string, Sent[]> = {
      'a ticket that is answered, corrected and resolved': [
        [
          'ticket.created',
          { v: 1, message: message('m1', 'Saya tidak bisa menarik', { author: { kind: 'requester' } }) },
        ],
        [
          'ticket.replied',
          {
            v: 2,
            message: message('m2', 'Mohon kirim ID', {
              attachments: [{ name: 'a.pdf', url: 'https://help.example/a' }],
            }),
          },
        ],
        ['ticket.updated', { v: 3, ticket: { subject: 'Penarikan tertunda', status: 'pending', number: '12346' } }],
        ['message.updated', { v: 4, message: message('m2', 'Mohon kirim ID transaksi', { attachments: [] }) }],
        ['ticket.resolved', { v: 5, ticket: { status: 'resolved' }, message: message('m3', 'Selesai') }],
      ],
      'events that each say only a part': [
        [
          'ticket.created',
          {
            v: 1,
            ticket: { url: 'https://app.example/1' },
            requester: { ...siti, id: 'u-1' },
            participants: [budi],
            message: message('m1', 'one', { createdAt: at(0) }),
          },
        ],
        [
          'ticket.replied',
          {
            v: 2,
            ticket: { subject: undefined },
            requester: { kind: 'guest', email: siti.email, name: 'Siti A.' },
            message: message('m2', 'two', { attachments: [{ name: 'a', url: 'https://help.example/a' }] }),
          },
        ],
        [
          'ticket.updated',
          { v: 3, ticket: { subject: 'Third' }, requester: { kind: 'guest', email: siti.email, locale: 'en' } },
        ],
        [
          'message.updated',
          {
            v: 4,
            ticket: { subject: undefined },
            requester: { kind: 'guest', email: siti.email },
            message: {
              id: 'm2',
              author: { kind: 'agent' },
              visibility: 'public',
              body: '**two!**',
              format: 'markdown',
            },
          },
        ],
        [
          'ticket.closed',
          {
            v: 5,
            ticket: { subject: undefined, url: undefined, status: 'closed' },
            requester: { kind: 'guest', email: siti.email },
          },
        ],
      ],
      'messages that are hidden, shown and taken back': [
        ['ticket.replied', { v: 1, message: message('m1', 'one'), history: [message('m0', 'nought')] }],
        ['message.updated', { v: 2, message: message('m1', 'secret one', { visibility: 'internal' }) }],
        ['message.updated', { v: 3, message: message('m0', 'nought, edited') }],
        ['message.retracted', { v: 4, message: { id: 'm0', author: agent } }],
        ['ticket.replied', { v: 5, message: message('m2', 'two'), history: [message('m0', 'nought again')] }],
      ],
      'a message that is hidden and shown again': [
        ['ticket.replied', { v: 1, message: message('m1', 'one') }],
        ['message.updated', { v: 2, message: message('m1', 'secret', { visibility: 'internal' }) }],
        ['message.updated', { v: 3, message: message('m1', 'one, without the secret') }],
        ['ticket.updated', { v: 4, history: [message('m1', 'one, without the secret')] }],
        ['ticket.reopened', { v: 5 }],
      ],
      'people who come, go and change places': [
        [
          'ticket.created',
          {
            v: 1,
            participants: [budi, { kind: 'account', id: 'u-9', email: 'ani@example.com', name: 'Ani' }],
            message: message('m1', 'one', { author: { kind: 'requester' } }),
          },
        ],
        [
          'ticket.updated',
          {
            v: 2,
            participants: [{ ...budi, name: 'Budi S.' }],
            history: [message('m2', 'two', { author: { kind: 'participant', id: 'u-9' } })],
          },
        ],
        ['requester.changed', { v: 3, requester: budi }],
        ['requester.changed', { v: 4, requester: { kind: 'guest', email: 'cici@example.com' } }],
        [
          'ticket.replied',
          {
            v: 5,
            requester: { kind: 'guest', email: 'cici@example.com', name: 'Cici' },
            message: message('m3', 'three', { author: { kind: 'requester' } }),
          },
        ],
      ],
      'a merge and a change after it': [
        ['ticket.created', { v: 1 }],
        ['ticket.replied', { v: 2, message: message('m1', 'one') }],
        ['ticket.merged', { v: 3, into: 't-2' }],
        ['ticket.updated', { v: 4, ticket: { status: 'closed', subject: 'Merged' } }],
        ['message.updated', { v: 5, ticket: { status: 'closed', subject: 'Merged' }, message: message('m1', 'one!') }],
      ],
      'events of one moment, which nothing but their words puts in order': (
        [
          ['ticket.created', { v: 1, participants: [budi], message: message('m1', 'one') }],
          ['ticket.updated', { v: 1, ticket: { subject: 'This' }, requester: { ...siti, name: 'Siti A.' } }],
          ['ticket.updated', { v: 1, ticket: { subject: 'That', status: 'pending' }, requester: budi }],
          ['message.updated', { v: 1, message: message('m1', 'one!', { visibility: 'internal' }) }],
          [
            'ticket.closed',
            {
              v: 1,
              ticket: { status: 'closed' },
              participants: [],
              message: message('m1', 'uno', { attachments: [{ name: 'a', url: 'https://help.example/a' }] }),
            },
          ],
        ] satisfies Sent[]
      ).map(([type, given]): Sent => [
        type,
        { ...given, ticket: { ...('ticket' in given ? given.ticket : {}), version: undefined } },
      ]),
      'two answers of one second that differ by the time of their events': (
        [
          ['ticket.info_requested', { v: 5, ticket: { status: 'pending', subject: 'Fifth' } }],
          ['ticket.reopened', { v: 4, ticket: { subject: 'Fourth' } }],
          ['ticket.closed', { v: 3, ticket: { status: 'closed', subject: 'Third' } }],
          ['ticket.updated', { v: 2, ticket: { subject: 'Second' }, requester: budi }],
          ['ticket.updated', { v: 1, ticket: { subject: 'First' }, participants: [budi] }],
        ] satisfies Sent[]
      ).map(([type, given]): Sent => [type, { ...given, ticket: { ...given.ticket, version: 7, updatedAt: at(1) } }]),
      'events without versions, by their times': (
        [
          ['ticket.created', { v: 1, message: message('m1', 'one') }],
          ['ticket.info_requested', { v: 2, ticket: { status: 'pending' }, message: message('m2', 'two') }],
          ['message.updated', { v: 3, ticket: { status: 'pending' }, message: message('m2', 'two!') }],
          ['ticket.reopened', { v: 4, ticket: { subject: 'Again' } }],
          ['ticket.closed', { v: 5, ticket: { status: 'closed', subject: 'Again' } }],
        ] satisfies Sent[]
      ).map(([type, given]): Sent => [
        type,
        { ...given, ticket: { ...('ticket' in given ? given.ticket : {}), version: undefined } },
      ]),
    };

    it.each(Object.entries(stories))('%s', async (_what, story) => {
      const outcomes = new Map<string, string[]>();
      // One part of the code does this on both databases, and the other one is slower.
      const every = kind.name === 'SQLite' ? 3 : 7;
      const orders = permutations(story).filter((_, place) => isLong || place % every === 0);
      for (const order of orders) {
        const ticket = newTicket();
        const together = newTicket();
        await database.write(async (tx) => {
          for (const sent of order) await applyGroup(tx, [ticket.eventOf(sent)]);
          await applyGroup(tx, order.map(together.eventOf));
        });
        const { ticket: row, views } = await ticket.state();
        const outcome = JSON.stringify({ ...row, sourceTicketId: 'the same', views }, null, 1);
        outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), order.map(([, { v }]) => v).join('')]);
        expect(await together.rows()).toEqual(await ticket.rows());
      }
      const [inOrder, ...others] = outcomes.keys();
      expect(others[0] ?? inOrder).toBe(inOrder);
      expect(outcomes.get(inOrder!)).toHaveLength(orders.length);
    });
  });

  it('is the same whatever groups its events come in, and so is what is told of each', async () => {
    const name = (names: string[]) => fc.constantFrom(...names);
    const files = fc.option(fc.subarray(['a', 'b']), { nil: undefined });
    const person = fc.constantFrom(siti, budi, { ...siti, name: 'Siti A.', email: 'SITI@example.com' });
    const one = fc.record({
      id: name(['m1', 'm2', 'm3']),
      body: fc.option(name(['x', 'y']), { nil: undefined }),
      visibility: name(['public', 'public', 'internal']),
      author: fc.constantFrom(agent, { kind: 'requester' }, { kind: 'participant', email: budi.email }),
      attachments: files.map((names) => names?.map((file) => ({ name: file, url: `https://help.example/${file}` }))),
      isEcho: fc.boolean(),
    });
    const types = [...tellingTypes, ...silentTypes.filter((type) => type !== 'ticket.deleted')];
    const happening = fc.record({
      ofSecond: fc.boolean(),
      // A deletion ends the story, so it may not come in each.
      type: fc.oneof({ weight: 20, arbitrary: name(types) }, { weight: 1, arbitrary: fc.constant('ticket.deleted') }),
      v: fc.integer({ min: 1, max: 5 }),
      requester: person,
      participants: fc.option(fc.subarray([siti, budi]), { nil: undefined }),
      status: name(['open', 'pending', 'resolved', 'closed']),
      message: one,
      history: fc.array(one, { maxLength: 2 }),
      endsGroup: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 2, maxLength: 10 }), async (happenings) => {
        const play = async (isGrouped: boolean) => {
          const tickets = [newTicket(), newTicket()] as const;
          // One ticket is known, with a reply that may be echoed; the other is new.
          await tickets[0].apply('ticket.created', { v: 0 });
          const replyId = await tickets[0].reply('My answer', siti.email, 'z.png');
          const events = happenings.map(({ ofSecond, type, v, status, message: about, history, ...rest }, n) => {
            const full = ({ isEcho, ...message }: typeof about) => ({ ...message, replyId: isEcho ? replyId : null });
            return tickets[ofSecond ? 1 : 0].eventOf([
              type,
              { v, ticket: { status }, message: full(about), history: history.map(full), into: 't-2', ...rest },
              `e-${n}`,
            ]);
          });
          const groups: EventOf[][] = [[]];
          events.forEach((event, i) => {
            groups.at(-1)!.push(event);
            if (!isGrouped || happenings[i]!.endsGroup) groups.push([]);
          });
          const applied = await database.write(async (tx) => {
            const all: (AppliedEvent | null)[] = [];
            for (const group of groups) all.push(...(await applyGroup(tx, group)));
            return all;
          });
          const who = ({ email, name: called, generation, locale }: Participant) => [email, called, generation, locale];
          return {
            told: applied.map(
              (each) =>
                each && {
                  ...each,
                  ticket: { ...each.ticket, id: '', sourceTicketId: '' },
                  messageId: each.messageId !== null,
                  participants: each.participants.map(who),
                  author: each.author && who(each.author),
                },
            ),
            rows: await Promise.all(
              tickets.map((ticket, i) =>
                events.some((_, j) => Number(happenings[j]!.ofSecond) === i) ? ticket.rows() : null,
              ),
            ),
          };
        };
        expect(await play(true)).toEqual(await play(false));
      }),
      { numRuns: isLong ? 200 : 20 },
    );
  });

  describe('of its state', () => {
    it('is never overwritten by an older event, which still adds its message', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.resolved', {
        v: 5,
        ticket: { status: 'resolved', subject: 'New' },
        requester: { ...siti, name: 'New' },
      });
      const applied = await ticket.apply('ticket.replied', {
        v: 4,
        ticket: { subject: 'Old' },
        requester: { ...siti, name: 'Old' },
        message: message('m1', 'late'),
      });
      expect(applied).toMatchObject({ isNewest: false, isNewMessage: true, isNewTicket: false });
      expect(await ticket.row()).toMatchObject({ status: 'resolved', subject: 'New', version: 5 });
      expect(await ticket.people()).toMatchObject([{ name: 'New' }]);
      expect(await ticket.bodies()).toEqual(['late']);
    });

    it('follows the version where both have one, whatever their times say', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.updated', { v: 2, ticket: { updatedAt: at(1), status: 'pending' } });
      await ticket.apply('ticket.updated', { v: 1, ticket: { updatedAt: at(9) } });
      expect((await ticket.row()).status).toBe('pending');
    });

    it('takes of two that claim the same place the later one, whichever arrives last', async () => {
      const claims: [Sent, Sent][] = [
        [
          ['ticket.updated', { v: 2, ticket: { version: 1, updatedAt: at(1), status: 'open' } }],
          ['ticket.updated', { v: 3, ticket: { version: 1, updatedAt: at(1), status: 'closed' } }],
        ],
        // Of one moment: what is answered and solved in one step is solved.
        [
          ['ticket.replied', { v: 1, ticket: { status: 'open' } }],
          ['ticket.resolved', { v: 1, ticket: { status: 'closed' } }],
        ],
      ];
      for (const claim of claims)
        for (const order of permutations(claim)) {
          const ticket = newTicket();
          for (const one of order) await ticket.apply(...one);
          expect(await ticket.row()).toMatchObject({ status: 'closed' });
        }
    });

    it('is kept apart by source: the same id elsewhere is another ticket', async () => {
      const one = newTicket('acme');
      await one.apply('ticket.created', { v: 1 });
      const parsed = parseEvent({
        type: 'ticket.created',
        timestamp: at(1),
        data: { ticket: { id: one.sourceTicketId, number: '1', status: 'open', updatedAt: at(1) }, requester: budi },
      });
      if (!parsed.ok) throw new Error('the event is valid');
      const given = { source: 'other', sourceEventId: 'e-1', event: parsed.event };
      const [other] = await database.write((tx) => applyGroup(tx, [given]));
      expect(other).toMatchObject({ isNewTicket: true });
      expect(await one.people()).toMatchObject([{ email: siti.email }]);
    });

    it('is closed and points on after a merge', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.created', { v: 1, into: 'ignored' });
      expect((await ticket.row()).mergedInto).toBeNull();
      await ticket.apply('ticket.merged', { v: 2, into: 't-2' });
      expect(await ticket.row()).toMatchObject({ status: 'closed', mergedInto: 't-2' });
    });
  });

  describe('of deleted tickets', () => {
    it('is nothing that was said, and stays nothing', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.replied', {
        v: 1,
        ticket: { subject: 'Forget-1' },
        message: message('m1', 'forget-2', { attachments: [{ name: 'forget-3', url: 'https://help.example/a' }] }),
      });
      await ticket.reply('forget-4', siti.email, 'forget-5');
      const deleted = await ticket.apply('ticket.deleted', {
        v: 2,
        ticket: { subject: 'Forget-6' },
        message: message('m2', 'forget-7'),
      });
      expect(deleted).toMatchObject({ orphanedFiles: ['stored-forget-5'], participants: [] });
      expect(await ticket.seenBy(siti.email)).toBeNull();
      for (const [type, given] of [
        ['ticket.replied', { v: 3, message: message('m3', 'forget-8') }],
        ['ticket.created', { v: 1, ticket: { subject: 'Forget-9' } }],
        ['ticket.deleted', { v: 4 }],
      ] satisfies Sent[])
        expect(await ticket.apply(type, given)).toBeNull();
      expect(await everything()).not.toMatch(/forget-/i);
    });

    it('stays nothing when the deletion comes first', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.deleted', { v: 2, ticket: { subject: 'Forget-1' } });
      expect(await ticket.apply('ticket.replied', { v: 1, message: message('m1', 'forget-2') })).toBeNull();
      expect(await ticket.seenBy(siti.email)).toBeNull();
      expect(await everything()).not.toMatch(/forget-/i);
    });

    it('stays nothing when an older deletion comes late', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.replied', { v: 2, message: message('m1', 'forget-1') });
      await ticket.apply('ticket.deleted', { v: 1 });
      expect(await ticket.seenBy(siti.email)).toBeNull();
      expect(await everything()).not.toMatch(/forget-/i);
    });
  });

  describe('of internal notes', () => {
    it.each([['internal'], ['private'], ['Public'], ['PUBLIC '], [''], [undefined], [null]])(
      'is nothing at all, where visibility is %o',
      async (visibility) => {
        const ticket = newTicket();
        const note = (id: string) =>
          message(id, 'planted note', {
            visibility,
            author: { kind: 'agent', name: 'planted author' },
            attachments: [{ name: 'planted file', url: 'https://help.example/planted' }],
          });
        for (const type of [
          'ticket.created',
          'ticket.replied',
          'ticket.info_requested',
          'ticket.resolved',
          'ticket.updated',
          'message.updated',
          'message.retracted',
        ])
          await ticket.apply(type, { v: 1, message: note(`m-${type}`), history: [note(`h-${type}`)] });
        expect(await everything()).not.toContain('planted');
        expect((await ticket.seenBy(siti.email))!.filter(({ retracted }) => !retracted)).toEqual([]);
        const { id: ticketId } = await ticket.row();
        const kept = await database.read((manager) => manager.findBy(Message, { ticketId }));
        // Of an edit and a retraction only the id is kept, so that an older event cannot show what it took away.
        expect(kept.map(({ sourceMessageId }) => sourceMessageId).sort()).toEqual([
          'm-message.retracted',
          'm-message.updated',
        ]);
      },
    );

    it('becomes nothing when a public message is made one', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.replied', {
        v: 1,
        message: message('m1', 'was public', {
          attachments: [{ name: 'was public.pdf', url: 'https://help.example/a' }],
        }),
      });
      expect(await ticket.bodies()).toEqual(['was public']);
      await ticket.apply('message.updated', {
        v: 2,
        message: message('m1', 'is internal', { visibility: 'internal' }),
      });
      expect(await ticket.seenBy(siti.email)).toEqual([]);
      expect(await everything()).not.toMatch(/was public|is internal/);
    });

    it('stays nothing when the public form comes late', async () => {
      const ticket = newTicket();
      await ticket.apply('message.updated', {
        v: 2,
        message: message('m1', 'is internal now', { visibility: 'internal' }),
      });
      const late = await ticket.apply('ticket.replied', { v: 1, message: message('m1', 'was public once') });
      expect(late).toMatchObject({ isNewMessage: false });
      expect(await ticket.seenBy(siti.email)).toEqual([]);
      expect(await everything()).not.toMatch(/was public once|is internal now/);
    });

    it('tells nobody', async () => {
      expect(
        await newTicket().apply('ticket.replied', { v: 1, message: message('m', 'note', { visibility: 'internal' }) }),
      ).toMatchObject({ isNewMessage: false });
    });
  });

  describe('of edits and retractions', () => {
    it('is the newest words, marked as edited', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.replied', { v: 1, message: message('m1', 'frist') });
      expect(await ticket.seenBy(siti.email)).toMatchObject([{ edited: false }]);
      await ticket.apply('message.updated', { v: 2, message: message('m1', 'first', { format: 'markdown' }) });
      expect(await ticket.seenBy(siti.email)).toMatchObject([{ edited: true, html: expect.stringContaining('first') }]);
      expect(await everything()).not.toContain('frist');
    });

    it('keeps files that an edit does not speak of, and drops those that it leaves out', async () => {
      const ticket = newTicket();
      const files = [
        { name: 'a', url: 'https://help.example/a' },
        { name: 'b', url: 'https://help.example/b' },
      ];
      await ticket.apply('ticket.replied', { v: 1, message: message('m1', 'x', { attachments: files }) });
      await ticket.apply('message.updated', { v: 2, message: message('m1', 'y') });
      expect((await ticket.seenBy(siti.email))![0]!.files).toMatchObject(files);
      await ticket.apply('message.updated', { v: 3, message: message('m1', 'z', { attachments: files.slice(1) }) });
      expect((await ticket.seenBy(siti.email))![0]!.files).toMatchObject(files.slice(1));
    });

    it('keeps words that an edit does not speak of', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.replied', { v: 1, message: message('m1', '*kept*', { format: 'markdown' }) });
      await ticket.apply('message.updated', {
        v: 2,
        message: { id: 'm1', author: agent, visibility: 'public', attachments: [] },
      });
      expect((await ticket.seenBy(siti.email))![0]!.html).toContain('<em>kept</em>');
    });

    it('is there when the edit comes first, and is still news when the message follows', async () => {
      const ticket = newTicket();
      expect(await ticket.apply('message.updated', { v: 2, message: message('m1', 'first') })).toMatchObject({
        isNewMessage: false,
      });
      expect(await ticket.bodies()).toEqual(['first']);
      expect(await ticket.apply('ticket.replied', { v: 1, message: message('m1', 'frist') })).toMatchObject({
        isNewMessage: true,
      });
      expect(await ticket.bodies()).toEqual(['first']);
    });

    it('shows only that something was taken back, for good', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.replied', {
        v: 1,
        message: message('m1', 'planted words', {
          attachments: [{ name: 'planted file', url: 'https://help.example/a' }],
        }),
      });
      await ticket.apply('message.retracted', { v: 2, message: { id: 'm1', author: agent } });
      await ticket.apply('message.updated', { v: 3, message: message('m1', 'planted again') });
      expect(await ticket.seenBy(siti.email)).toMatchObject([{ html: '', retracted: true, files: [] }]);
      expect(await everything()).not.toContain('planted');
    });

    it('hides a message that comes after its retraction, and tells nobody of it', async () => {
      const ticket = newTicket();
      await ticket.apply('message.retracted', { v: 2, message: { id: 'm1', author: agent } });
      expect(await ticket.apply('ticket.replied', { v: 1, message: message('m1', 'planted late') })).toMatchObject({
        isNewMessage: false,
      });
      expect(await ticket.seenBy(siti.email)).toMatchObject([{ html: '', retracted: true }]);
      expect(await everything()).not.toContain('planted');
    });

    it('touches the message of this ticket only, though another has one of the same id', async () => {
      const [one, other] = [newTicket(), newTicket()];
      for (const ticket of [one, other])
        await ticket.apply('ticket.replied', { v: 1, message: message('m1', 'words') });
      await one.apply('message.retracted', { v: 2, message: { id: 'm1', author: agent } });
      expect(await other.bodies()).toEqual(['words']);
    });
  });

  describe('of history', () => {
    it('fills a conversation that began before Postern, in its order, and a repeat doubles nothing', async () => {
      const ticket = newTicket();
      const history = [
        message('m2', 'two', { createdAt: at(-20), author: { kind: 'requester' } }),
        message('m1', 'one', { createdAt: at(-30), attachments: [{ name: 'a', url: 'https://help.example/a' }] }),
        message('note', 'planted note', { createdAt: at(-25), visibility: 'internal' }),
      ];
      await ticket.apply('ticket.replied', { v: 7, message: message('m3', 'three', { createdAt: at(7) }), history });
      const first = await ticket.state();
      expect(await ticket.bodies()).toEqual(['one', 'two', 'three']);
      expect(first.views[0]!.sees!.map(({ mine }) => mine)).toEqual([false, true, false]);
      await ticket.apply('ticket.replied', {
        v: 7,
        message: message('m3', 'three', { createdAt: at(7) }),
        history: [...history, ...history],
      });
      expect(await ticket.state()).toEqual(first);
      const { id: ticketId } = await ticket.row();
      expect(await database.read((manager) => manager.countBy(Attachment, { ticketId }))).toBe(1);
      expect(await everything()).not.toContain('planted');
    });

    it('is no news by itself, and takes no news away', async () => {
      const ticket = newTicket();
      expect(await ticket.apply('ticket.updated', { v: 3, history: [message('m1', 'one')] })).toMatchObject({
        isNewMessage: false,
      });
      expect(await ticket.apply('ticket.replied', { v: 2, message: message('m1', 'one') })).toMatchObject({
        isNewMessage: true,
      });
      expect(await ticket.apply('ticket.info_requested', { v: 4, message: message('m1', 'one') })).toMatchObject({
        isNewMessage: false,
      });
    });

    it('takes 200 messages', async () => {
      const ticket = newTicket();
      const history = Array.from({ length: 200 }, (_, i) => message(`m${i}`, `${i}`, { createdAt: at(-300 + i) }));
      await ticket.apply('ticket.updated', { v: 1, history });
      expect(await ticket.bodies()).toEqual(history.map(({ body }) => body));
    });
  });

  describe('of the echo of a reply', () => {
    it('is one entry with the reply: its words and files as the guest sent them, arrived', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.created', { v: 1 });
      const replyId = await ticket.reply('My answer', siti.email, 'a.png');
      const echo = message('m2', '<p>My answer</p>', {
        format: 'html',
        replyId,
        author: { kind: 'agent', name: 'API' },
        attachments: [{ name: 'a.png', url: 'https://help.example/a' }],
      });
      const applied = await ticket.apply('ticket.replied', { v: 2, message: echo });
      expect(applied!.author).toMatchObject({ email: siti.email });
      expect(await ticket.seenBy(siti.email)).toMatchObject([
        {
          html: expect.stringContaining('My answer'),
          mine: true,
          echoed: true,
          edited: false,
          isReply: true,
          files: [{ name: 'a.png' }],
        },
      ]);
    });

    it('is joined by history and by an edit too, whose words then count', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.created', { v: 1 });
      const replyId = await ticket.reply('My anwser');
      await ticket.apply('ticket.updated', { v: 2, history: [message('m2', 'My anwser', { replyId })] });
      expect(await ticket.seenBy(siti.email)).toHaveLength(1);
      await ticket.apply('message.updated', { v: 3, message: message('m2', 'My answer', { replyId }) });
      expect(await ticket.seenBy(siti.email)).toMatchObject([
        { html: expect.stringContaining('My answer'), edited: true },
      ]);
    });

    it('disappears with the reply when the source makes it internal or takes it back', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.created', { v: 1, participants: [budi] });
      const [one, two] = [await ticket.reply('planted one', siti.email, 'x.png'), await ticket.reply('planted two')];
      await ticket.apply('message.updated', { v: 2, message: message('m1', '', { replyId: one }) });
      await ticket.apply('message.updated', {
        v: 3,
        message: message('m1', '', { replyId: one, visibility: 'internal' }),
      });
      await ticket.apply('message.updated', { v: 4, message: message('m2', '', { replyId: two }) });
      await ticket.apply('message.retracted', { v: 5, message: { id: 'm2', author: agent } });
      for (const email of [siti.email, budi.email])
        expect(await ticket.seenBy(email)).toMatchObject([{ html: '', retracted: true, files: [] }]);
    });

    it.each<[string, (foreign: Id<'rpl'>) => string]>([
      ["another ticket's reply", (foreign) => foreign],
      ['a reply that never was', () => newId('rpl', NOW)],
      ['something else', () => 'x'],
    ])('is not made of %s', async (_what, choose) => {
      const other = newTicket();
      await other.apply('ticket.created', { v: 1 });
      const foreign = await other.reply('somewhere else');
      const ticket = newTicket();
      await ticket.apply('ticket.created', { v: 1 });
      const applied = await ticket.apply('ticket.replied', {
        v: 2,
        message: message('m1', 'from an agent', { replyId: choose(foreign) }),
      });
      expect(applied).toMatchObject({ author: null, isNewMessage: true });
      expect(await ticket.seenBy(siti.email)).toMatchObject([
        { html: expect.stringContaining('from an agent'), isReply: false, mine: false },
      ]);
      expect(await other.seenBy(siti.email)).toMatchObject([{ echoed: false }]);
    });
  });

  describe('of people', () => {
    it('ends what a former requester had', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.created', { v: 1 });
      const applied = await ticket.apply('requester.changed', { v: 2, requester: budi });
      expect(applied!.participants.map(({ email }) => email)).toEqual([budi.email]);
      expect(await ticket.seenBy(siti.email)).toBeNull();
      expect(await ticket.seenBy(siti.email, 1)).toBeNull();
      expect(await ticket.seenBy(budi.email)).toEqual([]);
    });

    it('gives one who comes back nothing of what they had before: old links and sessions stay dead', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.created', { v: 1, participants: [budi] });
      await ticket.apply('ticket.updated', { v: 2, participants: [] });
      expect(await ticket.seenBy(budi.email)).toBeNull();
      await ticket.apply('ticket.updated', { v: 3, participants: [budi] });
      expect(await ticket.seenBy(budi.email, 1)).toBeNull();
      expect(await ticket.seenBy(budi.email)).toEqual([]);
    });

    it('leaves participants alone where an event has no list', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.created', { v: 1, participants: [budi] });
      await ticket.apply('ticket.replied', { v: 2, message: message('m', 'x') });
      expect(await ticket.seenBy(budi.email, 1)).toHaveLength(1);
    });

    it('lets a requester who is also on the list stay as a participant', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.created', { v: 1, participants: [siti, budi] });
      expect((await ticket.people()).map(({ email, role }) => [email, role])).toEqual([
        [budi.email, 'participant'],
        [siti.email, 'requester'],
      ]);
      await ticket.apply('requester.changed', { v: 2, requester: budi });
      expect((await ticket.people()).map(({ email, role, endedAt }) => [email, role, endedAt])).toEqual([
        [budi.email, 'requester', null],
        [siti.email, 'participant', null],
      ]);
      expect(await ticket.seenBy(siti.email, 1)).toEqual([]);
    });

    it('counts one address once, however it is spelled, and mails it as it was given last', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.created', {
        v: 1,
        participants: [{ ...siti, email: 'SITI@Example.COM' }, { ...budi, email: 'Budi@example.com' }, budi],
      });
      expect((await ticket.people()).map(({ email }) => email)).toEqual(['budi@example.com', 'siti@example.com']);
    });

    it('knows an older message by the requester of its time, not by the one of now', async () => {
      const ticket = newTicket();
      await ticket.apply('requester.changed', { v: 2, requester: budi });
      const applied = await ticket.apply('ticket.replied', {
        v: 1,
        requester: siti,
        message: message('m1', 'x', { author: { kind: 'requester' } }),
      });
      expect(applied!.author).toBeNull();
      expect(await ticket.seenBy(budi.email)).toMatchObject([{ mine: false }]);
    });

    it("does not take an agent's number for an account's", async () => {
      const ticket = newTicket();
      const account = { kind: 'account', id: '5', email: siti.email };
      const applied = await ticket.apply('ticket.replied', {
        v: 1,
        requester: account,
        message: message('m1', 'x', { author: { kind: 'agent', id: '5' } }),
      });
      expect(applied!.author).toBeNull();
    });

    it('keeps name, language and zone where an event leaves them out', async () => {
      const ticket = newTicket();
      await ticket.apply('ticket.created', { v: 1 });
      await ticket.apply('ticket.updated', {
        v: 2,
        requester: { kind: 'guest', email: siti.email, locale: '???', timeZone: null },
      });
      expect(await ticket.people()).toMatchObject([{ name: 'Siti', locale: 'id-ID', timeZone: 'Asia/Jakarta' }]);
    });
  });

  it('survives that many events of one ticket come at once', async () => {
    const ticket = newTicket();
    const events = Array.from({ length: 20 }, (_, i) => i + 1);
    await Promise.all(
      events.map((v) =>
        ticket.apply('ticket.replied', {
          v,
          ticket: { subject: `s${v}` },
          participants: v % 2 ? [budi] : [],
          message: message(`m${v}`, `${v}`),
        }),
      ),
    );
    expect(await ticket.row()).toMatchObject({ version: 20, subject: 's20' });
    expect(await ticket.bodies()).toHaveLength(20);
    expect((await ticket.people()).filter(({ endedAt }) => endedAt === null)).toHaveLength(1);
  });
});
