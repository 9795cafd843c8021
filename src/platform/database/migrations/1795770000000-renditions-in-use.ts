import { TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';

const table = 'template_renditions';

/** When a mail was last made of a rendition. Of those that are there it is not known: they count as just used. */
export class RenditionsInUse1795770000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumn(table, new TableColumn({ name: 'used_at', type: 'bigint', default: '0' }));
    await runner.query(`UPDATE ${table} SET used_at = ${Date.now()}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropColumn(table, 'used_at');
  }
}
