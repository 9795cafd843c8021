import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

/** Accepted events of which something must still be looked up. */
export class WaitingEvents1795680000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'waiting_events',
        columns: [
          { name: 'id', type: 'text', isPrimary: true },
          { name: 'source', type: 'text' },
          { name: 'sealed', type: 'text' },
          { name: 'attempts', type: 'integer' },
          { name: 'outcome', type: 'text' },
          { name: 'created_at', type: 'bigint' },
          { name: 'next_attempt_at', type: 'bigint' },
          { name: 'ended_at', type: 'bigint', isNullable: true },
        ],
      }),
    );
    await runner.createIndex(
      'waiting_events',
      new TableIndex({
        name: 'waiting_events_next_attempt_at_idx',
        columnNames: ['next_attempt_at'],
        where: 'ended_at IS NULL',
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('waiting_events');
  }
}
