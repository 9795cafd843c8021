import type { Id } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { run, selectRows, updateRows } from '../platform/database/rows.js';
import { Delivery } from './delivery.entity.js';
import type { PlannedMail } from './delivery.js';

/** Whose mails: all of a ticket, or those to one person of it. */
export interface MailsOf {
  ticketId: Id<'tkt'>;
  participantId?: Id<'ptc'>;
}

/**
 * Takes the people out of mails: address, name, reference, and what servers said. Times, states and ids stay. Mails that
 * wait, or wait for a person, are due at once, so that a worker finds that nobody is to be told any more and ends them;
 * hand those to `wake` after the commit. The access of these people has to end in the same transaction. Safe to do twice.
 */
export async function forgetMails(
  tx: Transaction,
  { ticketId, participantId }: MailsOf,
  now: number,
): Promise<{ count: number; due: PlannedMail[] }> {
  const lock = tx.dataSource.options.type === 'postgres' ? 'FOR UPDATE' : '';
  const [whose, values] = participantId === undefined ? ['', []] : ['AND participant_id = ?', [participantId]];
  const found = await selectRows(
    tx,
    Delivery,
    `WHERE ticket_id = ? ${whose} AND (recipient <> '' OR state = 'parked') ORDER BY id ${lock}`,
    [ticketId, ...values],
  );
  const mails = found.map((mail) => forgotten(mail, now));
  await updateRows(tx, Delivery, mails, {
    by: ['id'],
    set: ['recipient', 'checkReference', 'inputs', 'state', 'deaths', 'nextAttemptAt', 'endedAt'],
  });
  const ids = mails.map(({ id }) => id);
  if (ids.length > 0)
    for (const table of ['attempts', 'feedback'])
      await run(tx, `UPDATE ${table} SET detail = '' WHERE delivery_id IN ?`, [ids]);
  const due = mails.filter(({ endedAt, nextAttemptAt }) => endedAt === null && nextAttemptAt <= now);
  return { count: mails.length, due: due.map(({ lane, id }) => ({ lane, id })) };
}

function forgotten(mail: Delivery, now: number): Delivery {
  const { inputs, state, nextAttemptAt } = mail;
  // Whoever holds it goes on and writes down what came of it; all others are ended by the next who takes them up.
  const isHeld = state === 'leased' || state === 'submitting';
  const parked = state === 'parked' ? { state: 'queued' as const, deaths: 0, endedAt: null } : {};
  const waits = parked.state !== undefined || (mail.endedAt === null && !isHeld);
  return {
    ...mail,
    ...parked,
    recipient: '',
    checkReference: null,
    inputs: {
      ...inputs,
      recipientName: '',
      timeZone: '',
      link: inputs.link?.kind === 'account' ? null : inputs.link,
    },
    nextAttemptAt: waits ? now : nextAttemptAt,
  };
}
