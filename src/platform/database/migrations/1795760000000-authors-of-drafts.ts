import { TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';

const table = 'template_drafts';

/** Who wrote at a draft, and that its time came and it was not published. Of drafts that are there the last writer is known. */
export class AuthorsOfDrafts1795760000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumns(table, [
      new TableColumn({ name: 'authors', type: 'text', default: "'[]'" }),
      new TableColumn({ name: 'alarm', type: 'text', isNullable: true }),
      new TableColumn({ name: 'alarm_at', type: 'bigint', isNullable: true }),
    ]);
    await runner.query(`UPDATE ${table} SET authors = '["' || "by" || '"]'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropColumns(table, ['authors', 'alarm', 'alarm_at']);
  }
}
