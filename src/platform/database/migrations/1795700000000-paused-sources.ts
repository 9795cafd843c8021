import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';

/** Sources whose mails wait. */
export class PausedSources1795700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'paused_sources',
        columns: [
          { name: 'name', type: 'text', isPrimary: true },
          { name: 'paused_at', type: 'bigint' },
        ],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('paused_sources');
  }
}
