import { Table, TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

const indexes: Record<string, TableIndex> = {
  participants: new TableIndex({ name: 'participants_email_key_idx', columnNames: ['email_key'] }),
  sessions: new TableIndex({ name: 'sessions_participant_id_idx', columnNames: ['participant_id'] }),
  outbound_messages: new TableIndex({
    name: 'outbound_messages_source_source_ticket_id_idx',
    columnNames: ['source', 'source_ticket_id'],
  }),
};

/** What is kept of a person or a ticket is found by the person or the ticket; the names of the keys are remembered. */
export class Forgetting1795740000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const isPostgres = runner.connection.options.type === 'postgres';
    await runner.addColumn(
      'outbound_messages',
      new TableColumn({ name: 'source_ticket_id', type: 'text', isNullable: true }),
    );
    const ticketId = isPostgres ? `data::json -> 'ticket' ->> 'id'` : `json_extract(data, '$.ticket.id')`;
    await runner.query(`UPDATE outbound_messages SET source_ticket_id = ${ticketId}`);
    for (const [table, index] of Object.entries(indexes)) await runner.createIndex(table, index);
    const columns = [
      { name: 'ring', type: 'text', isPrimary: true },
      { name: 'kids', type: 'text' },
      { name: 'noted_at', type: 'bigint' },
    ];
    await runner.createTable(new Table({ name: 'key_names', columns }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('key_names');
    for (const [table, index] of Object.entries(indexes)) await runner.dropIndex(table, index);
    await runner.dropColumn('outbound_messages', 'source_ticket_id');
  }
}
