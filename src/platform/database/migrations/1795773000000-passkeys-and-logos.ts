import { createHash } from 'node:crypto';
import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

const HASHED = 'brand_editions_logo_hash_idx';

/**
 * By which passkey a session was opened, so that it ends with it (of sessions that are there it is not known), and by
 * what hash a mail asks for the logo of an edition.
 */
export class PasskeysAndLogos1795773000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumn('studio_sessions', new TableColumn({ name: 'passkey_id', type: 'text', isNullable: true }));
    await runner.addColumn('brand_editions', new TableColumn({ name: 'logo_hash', type: 'text', isNullable: true }));
    const logos = (await runner.query('SELECT DISTINCT logo FROM brand_editions WHERE logo IS NOT NULL')) as {
      logo: string;
    }[];
    for (const { logo } of logos) {
      const hash = createHash('sha256').update(Buffer.from(logo, 'base64')).digest('hex').slice(0, 16);
      // Hexadecimal and base64: there is nothing in them to escape.
      await runner.query(`UPDATE brand_editions SET logo_hash = '${hash}' WHERE logo = '${logo}'`);
    }
    await runner.createIndex('brand_editions', new TableIndex({ name: HASHED, columnNames: ['logo_hash'] }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropIndex('brand_editions', HASHED);
    await runner.dropColumn('brand_editions', 'logo_hash');
    await runner.dropColumn('studio_sessions', 'passkey_id');
  }
}
