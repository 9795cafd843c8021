import { Table, TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

const text = (name: string) => ({ name, type: 'text' });
const time = (name: string) => ({ name, type: 'bigint' });
const key = (columnNames: string[], table: string) =>
  new TableIndex({ name: `${table}_${columnNames.join('_')}_key`, columnNames, isUnique: true });

/** What guests leave on a ticket beside replies: answers to "Is it solved?", a draft, how far they have read. */
export class TicketVisits1795620000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const id = { name: 'id', type: 'text', isPrimary: true };
    const whose = [text('ticket_id'), text('participant_id')];
    await runner.addColumn('tickets', new TableColumn({ ...time('resolved_at'), isNullable: true }));
    const answer = [time('resolved_at'), text('answer'), time('created_at')];
    await runner.createTable(new Table({ name: 'solved_answers', columns: [id, ...whose, ...answer] }));
    await runner.createIndex('solved_answers', key(['participant_id', 'resolved_at', 'answer'], 'solved_answers'));
    const draft = [text('sealed'), text('files'), time('expires_at')];
    await runner.createTable(new Table({ name: 'drafts', columns: [id, ...whose, ...draft] }));
    await runner.createIndex('drafts', key(['participant_id'], 'drafts'));
    await runner.createIndex('drafts', new TableIndex({ name: 'drafts_expires_at_idx', columnNames: ['expires_at'] }));
    const reader = { name: 'participant_id', type: 'text', isPrimary: true };
    await runner.createTable(new Table({ name: 'readings', columns: [reader, time('seen_until')] }));
    // The echo of a reply is looked for by the reply.
    await runner.createIndex(
      'messages',
      new TableIndex({ name: 'messages_reply_id_idx', columnNames: ['reply_id'], where: 'reply_id IS NOT NULL' }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropIndex('messages', 'messages_reply_id_idx');
    for (const name of ['readings', 'drafts', 'solved_answers']) await runner.dropTable(name);
    await runner.dropColumn('tickets', 'resolved_at');
  }
}
