import type { EntityManager, EntityMetadata } from 'typeorm';
import { Delivery } from '../../src/delivery/delivery.entity.js';
import type { EntityClass } from '../../src/platform/database/data-source.js';
import type { Database } from '../../src/platform/database/database.js';
import { run, selectRows } from '../../src/platform/database/rows.js';
import { Participant, Ticket } from '../../src/tickets/ticket.entity.js';

/** Rows of each table in one transaction. */
const CHUNK = 10_000;
const DOMAINS = 1000;

// 16 signs of an id by the number of the row: digits are signs of an id too, and they sort as the numbers do.
const NUMBER = 'substr(CAST(10000000000000000 + n AS TEXT), 2)';
/** Of the same time as the seed's id. */
const idLike = (column: string) => `substr(seed.${column}, 1, 14) || ${NUMBER}`;
const ADDRESS = `'guest' || CAST(n AS TEXT) || '@d' || CAST(n % ${DOMAINS} AS TEXT) || '.example'`;
const SOURCE_ID = `'backlog-' || ${NUMBER}`;
const NUMBERS = `WITH RECURSIVE numbers(n) AS (
  SELECT CAST(? AS bigint) UNION ALL SELECT n + 1 FROM numbers WHERE n < CAST(? AS bigint))`;

/**
 * Puts `count` mails into the tables, queued and due, each with a ticket and a person of its own: as the
 * intake would have left them within as many milliseconds. Copied within the database from one that came in.
 */
export async function fillBacklog(database: Database, count: number, progress: (text: string) => void): Promise<void> {
  const copies = await database.read((manager) => copiesOfOne(manager, count));
  for (let from = 1; from <= count; from += CHUNK) {
    const to = Math.min(count, from + CHUNK - 1);
    await database.write(async (tx) => {
      for (const { text, id } of copies) await run(tx, text, [from, to, id]);
    });
    progress(`${to.toLocaleString('en')} of ${count.toLocaleString('en')} rows`);
  }
  // As Postgres does by itself a minute after so many rows came.
  if (database.kind === 'postgres') await database.write((tx) => run(tx, 'ANALYZE'));
}

/** A statement for each table that copies one row of it, and the id of that row. */
async function copiesOfOne(manager: EntityManager, count: number): Promise<{ text: string; id: string }[]> {
  const [delivery] = await selectRows(manager, Delivery, `WHERE lane = 'mail' ORDER BY id LIMIT 1`);
  if (!delivery) throw new Error('no mail has come in to make a backlog of');
  const dueAt = `seed.created_at - ${count} + n`;
  const copies: [EntityClass, string, Record<string, string>][] = [
    [Ticket, delivery.ticketId, { source_ticket_id: SOURCE_ID }],
    [Participant, delivery.participantId, { ticket_id: idLike('ticket_id'), email: ADDRESS, email_key: ADDRESS }],
    [
      Delivery,
      delivery.id,
      {
        ticket_id: idLike('ticket_id'),
        participant_id: idLike('participant_id'),
        recipient: ADDRESS,
        state: `'queued'`,
        attempts: '0',
        transport: 'NULL',
        provider_id: 'NULL',
        // Unique, and no column of ours to count by.
        check_reference: 'NULL',
        created_at: dueAt,
        due_at: dueAt,
        next_attempt_at: dueAt,
        ended_at: 'NULL',
      },
    ],
  ];
  return copies.map(([entity, id, changed]) => ({
    id,
    text: copyText(manager.dataSource.getMetadata(entity), { id: idLike('id'), ...changed }),
  }));
}

function copyText({ tableName, columns }: EntityMetadata, changed: Record<string, string>): string {
  const names = columns.map(({ databaseName }) => databaseName);
  const made = names.map((name) => changed[name] ?? `seed.${name}`);
  return `INSERT INTO ${tableName} (${names.join(', ')}) ${NUMBERS}
    SELECT ${made.join(', ')} FROM numbers, ${tableName} seed WHERE seed.id = ?`;
}
