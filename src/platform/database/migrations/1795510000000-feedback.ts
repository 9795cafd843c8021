import { Table, TableIndex, type MigrationInterface, type QueryRunner, type TableColumnOptions } from 'typeorm';

const text = (name: string): TableColumnOptions => ({ name, type: 'text' });
const time = (name: string): TableColumnOptions => ({ name, type: 'bigint' });
const count = (name: string): TableColumnOptions => ({ name, type: 'integer' });
const optional = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isNullable: true });
const id: TableColumnOptions = { name: 'id', type: 'text', isPrimary: true };

/** What receiving servers say of mails, the addresses that get none any more, and the log of who changed that. */
export class Feedback1795510000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const feedback = [text('delivery_id'), count('attempt'), text('kind'), text('origin'), text('detail')];
    await runner.createTable(new Table({ name: 'feedback', columns: [id, ...feedback, time('received_at')] }));
    await createIndex(runner, 'feedback', ['delivery_id', 'attempt', 'kind'], 'key');

    const suppression = [text('address_key'), optional(text('reason')), count('soft_count'), optional(time('soft_at'))];
    const times = [optional(time('since')), optional(time('released_at'))];
    await runner.createTable(new Table({ name: 'suppressions', columns: [id, ...suppression, ...times] }));
    await createIndex(runner, 'suppressions', ['address_key'], 'key');

    const entry = [time('at'), text('actor'), text('action'), text('subject'), text('detail')];
    await runner.createTable(new Table({ name: 'audit_log', columns: [id, ...entry] }));
    await createIndex(runner, 'audit_log', ['subject'], 'idx');
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of ['audit_log', 'suppressions', 'feedback']) await runner.dropTable(name);
  }
}

function createIndex(runner: QueryRunner, table: string, columnNames: string[], kind: 'key' | 'idx'): Promise<void> {
  const name = `${table}_${columnNames.join('_')}_${kind}`;
  return runner.createIndex(table, new TableIndex({ name, columnNames, isUnique: kind === 'key' }));
}
