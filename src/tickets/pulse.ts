import type { EntityManager } from 'typeorm';
import type { Id } from '../ids.js';
import { sha256 } from '../platform/crypto.js';
import { run } from '../platform/database/rows.js';

/**
 * A sign for each of these tickets that is another one as soon as anything is that their pages show: state, messages,
 * replies, and how far those came. Three statements on indexes, however many tickets they are.
 */
export async function pulsesOf(manager: EntityManager, ids: readonly Id<'tkt'>[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const parts = new Map<string, unknown[]>(ids.map((id) => [id, []]));
  const counts = (column: string, table: string, condition: string) =>
    `SUM(CASE WHEN ${condition} THEN 1 ELSE 0 END) AS ${column} FROM ${table}`;
  const statements = [
    'SELECT id, status, subject, version, updated_at, deleted_at, merged_into FROM tickets WHERE id IN ?',
    `SELECT ticket_id AS id, COUNT(*) AS total, MAX(edited_at) AS edited, MAX(retracted_at) AS retracted,
     ${counts('hidden', 'messages', 'hidden')} WHERE ticket_id IN ? GROUP BY ticket_id`,
    `SELECT r.ticket_id AS id, COUNT(*) AS total, SUM(CASE WHEN o.state = 'delivered' THEN 1 ELSE 0 END) AS delivered,
     ${counts('parked', "replies r LEFT JOIN outbound_messages o ON o.subject_id = r.id AND o.type = 'ticket.guest_replied'", "o.state = 'parked'")}
     WHERE r.ticket_id IN ? GROUP BY r.ticket_id`,
  ];
  for (const [place, text] of statements.entries())
    for (const { id, ...row } of await run<{ id: string }>(manager, text, [ids]))
      // Postgres gives counts as text, and neither database promises an order of columns.
      parts.get(id)?.push(place, ...Object.entries(row).sort().map(String));
  return new Map([...parts].map(([id, part]) => [id, sha256(JSON.stringify(part)).toString('hex').slice(0, 16)]));
}
