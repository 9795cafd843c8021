import { Table, TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

const added = ['denied_at', 'confirmed_at', 'mail_stopped_at'];

/**
 * Limits of any stretch of time instead of windows that begin anew, wrong codes in a row, and people who said that a
 * ticket is not theirs or that they want no mails about it. What was counted before is forgotten: it was for a day at most.
 */
export class WhoMayComeIn1795610000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.dropTable('limits');
    await runner.createTable(
      new Table({
        name: 'limits',
        columns: [
          { name: 'key', type: 'text', isPrimary: true },
          { name: 'times', type: 'text' },
          { name: 'ends_at', type: 'bigint' },
        ],
      }),
    );
    await runner.createIndex('limits', new TableIndex({ name: 'limits_ends_at_idx', columnNames: ['ends_at'] }));
    await runner.createTable(
      new Table({
        name: 'failed_tries',
        columns: [
          { name: 'participant_id', type: 'text', isPrimary: true },
          { name: 'in_a_row', type: 'integer' },
          { name: 'dead_through', type: 'bigint' },
        ],
      }),
    );
    for (const name of added)
      await runner.addColumn('participants', new TableColumn({ name, type: 'bigint', isNullable: true }));
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of [...added].reverse()) await runner.dropColumn('participants', name);
    await runner.dropTable('failed_tries');
    await runner.dropTable('limits');
    await runner.createTable(
      new Table({
        name: 'limits',
        columns: [
          { name: 'key', type: 'text', isPrimary: true },
          { name: 'window_started_at', type: 'bigint' },
          { name: 'count', type: 'integer' },
        ],
      }),
    );
  }
}
