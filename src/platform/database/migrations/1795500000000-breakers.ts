import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';

/** Domains and transports that failed of late. */
export class Breakers1795500000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'breakers',
        columns: [
          { name: 'key', type: 'text', isPrimary: true },
          { name: 'failures', type: 'integer' },
          { name: 'openings', type: 'integer' },
          { name: 'opened_at', type: 'bigint', isNullable: true },
          { name: 'open_until', type: 'bigint', isNullable: true },
          { name: 'trial_at', type: 'bigint', isNullable: true },
          { name: 'updated_at', type: 'bigint' },
        ],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('breakers');
  }
}
