import { Table, TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

const COLUMNS = ['source', 'next_attempt_at'];
const INDEXES = [
  new TableIndex({
    name: 'outbound_messages_source_next_attempt_at_idx',
    columnNames: COLUMNS,
    where: 'ended_at IS NULL',
  }),
  // What guests said is found at once behind any number of receipts.
  new TableIndex({
    name: 'outbound_messages_words_idx',
    columnNames: COLUMNS,
    where: `ended_at IS NULL AND type IN ('ticket.guest_replied', 'ticket.guest_solved', 'ticket.guest_unsolved')`,
  }),
];

/** Each source's messages by themselves, the deaths of their workers, and the endpoints that said "never again". */
export class OutboundBySource1795750000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumn('outbound_messages', new TableColumn({ name: 'deaths', type: 'integer', default: 0 }));
    for (const index of INDEXES) await runner.createIndex('outbound_messages', index);
    await runner.createTable(
      new Table({
        name: 'disabled_endpoints',
        columns: [
          { name: 'source', type: 'text', isPrimary: true },
          { name: 'url_hash', type: 'text' },
          { name: 'disabled_at', type: 'bigint' },
        ],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('disabled_endpoints');
    for (const { name } of INDEXES) await runner.dropIndex('outbound_messages', name!);
    await runner.dropColumn('outbound_messages', 'deaths');
  }
}
