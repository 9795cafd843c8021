import type { Transaction } from '../platform/database/database.js';
import { run } from '../platform/database/rows.js';

/** What a source is told of one ticket; with `naming` (`EmailAddress.key`) only what is of that person. */
export interface NewsOf {
  source: string;
  sourceTicketId: string;
  naming?: string;
}

/**
 * Empties what was and is to be told to a source; what has not arrived never will. Returns how many messages it met.
 * Safe to do twice.
 */
export async function forgetNews(
  tx: Transaction,
  { source, sourceTicketId, naming }: NewsOf,
  now: number,
): Promise<number> {
  // The field of the JSON: what somebody else wrote may hold the address too, in quotes that are escaped there.
  const [whose, values] =
    naming === undefined ? ['', []] : [`AND lower(data) LIKE ? ESCAPE '\\'`, [`%"email":"${literal(naming)}"%`]];
  const met = await run(
    tx,
    `UPDATE outbound_messages SET data = '{}',
     state = CASE WHEN state = 'delivered' THEN state ELSE 'cancelled' END, ended_at = COALESCE(ended_at, ?)
     WHERE source = ? AND source_ticket_id = ? AND data <> '{}' ${whose} RETURNING id`,
    [now, source, sourceTicketId, ...values],
  );
  return met.length;
}

/** A text as `LIKE` takes it at its word. */
function literal(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
