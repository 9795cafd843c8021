import { Table, TableIndex, type MigrationInterface, type QueryRunner, type TableColumnOptions } from 'typeorm';

const text = (name: string): TableColumnOptions => ({ name, type: 'text' });
const time = (name: string): TableColumnOptions => ({ name, type: 'bigint' });

/** The one-time tokens that take a verified guest to the source's own ticket page. */
export class Handoffs1795640000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const columns: TableColumnOptions[] = [
      { name: 'id', type: 'text', isPrimary: true },
      ...['token_hash', 'source', 'ticket_id', 'participant_id', 'target'].map(text),
      { name: 'generation', type: 'integer' },
      time('created_at'),
      time('expires_at'),
      { ...time('redeemed_at'), isNullable: true },
    ];
    await runner.createTable(new Table({ name: 'handoffs', columns }));
    await runner.createIndex(
      'handoffs',
      new TableIndex({ name: 'handoffs_token_hash_key', columnNames: ['token_hash'], isUnique: true }),
    );
    await runner.createIndex(
      'handoffs',
      new TableIndex({ name: 'handoffs_participant_id_idx', columnNames: ['participant_id'] }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('handoffs');
  }
}
